/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of limitd: a client. */
#ifndef SLM_EXAMPLES_LIMITD_FIXTURE_H
#define SLM_EXAMPLES_LIMITD_FIXTURE_H

#include <gtest/gtest.h>
#include <memory>
#include <string>

#include "examples/limitd/rig.h"

namespace limitd_test {

constexpr int kWaitMs = 30000; /* a limit for hangs, not a pause */
const char *const kProgram = "examples/limitd/limitd";

/* A connection. */
class Link {
  public:
    explicit Link(const limitd_rig &rig) : link_(new limitd_link)
    {
        limitd_link_init(link_.get(), rig.socket);
    }
    ~Link()
    {
        limitd_link_fini(link_.get());
    }
    Link(const Link &) = delete;
    Link &operator=(const Link &) = delete;
    std::string ask(const std::string &line)
    {
        const char *answer = limitd_link_ask(link_.get(), line.c_str());
        return answer == nullptr ? "(gone)" : answer;
    }
    /* Asks until a worker answers: workers may be dying. */
    std::string must_ask(const std::string &line)
    {
        std::string answer;
        while ((answer = ask(line)) == "(gone)" && link_->n_hung == 0) {
        }
        return answer;
    }
    void send(const std::string &bytes)
    {
        EXPECT_TRUE(limitd_link_send(link_.get(), bytes.data(), bytes.size()));
    }
    std::string line()
    {
        const char *answer = limitd_link_line(link_.get());
        return answer == nullptr ? "(gone)" : answer;
    }
    bool begins(const std::string &line, const std::string &with)
    {
        std::string answer = ask(line);
        return answer.compare(0, with.size(), with) == 0;
    }

  private:
    std::unique_ptr<limitd_link> link_;
};

} // namespace limitd_test

#endif
