/* SPDX-License-Identifier: Apache-2.0 */
/* The load's client notices what a server forgets. */
#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

#include "examples/limitd/load_client.h"

namespace {

/* A server that forgets each seventh value, and counts cache uses from 1 again and again. */
class Forgetful {
  public:
    /* Sets *stop to 1 after some answers. */
    explicit Forgetful(int *stop) : stop_(stop), listener_(socket(AF_UNIX, SOCK_STREAM, 0))
    {
        sockaddr_un address = {};
        address.sun_family = AF_UNIX;
        path_ = "/tmp/limitd.forgets." + std::to_string(getpid());
        strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
        (void)unlink(path_.c_str());
        EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr *>(&address), sizeof address), 0);
        EXPECT_EQ(listen(listener_, 1), 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~Forgetful()
    {
        thread_.join();
        close(listener_);
        unlink(path_.c_str());
    }
    Forgetful(const Forgetful &) = delete;
    Forgetful &operator=(const Forgetful &) = delete;
    const char *path() const
    {
        return path_.c_str();
    }

  private:
    std::string answer(const std::string &line)
    {
        std::string command = line.substr(0, line.find(' '));
        std::string key = line.substr(command.size() + 1);
        key = key.substr(0, key.find(' '));
        if (command == "PUT" && n_puts_++ % 7 != 0) {
            values_[key] = line.substr(line.rfind(' ') + 1);
        }
        if (command == "GET") {
            return values_.count(key) != 0 ? "VALUE " + values_[key] : "NONE";
        }
        return command == "CACHE" ? "MISS 1" : command == "PUT" ? "OK" : "OK 1";
    }
    void serve()
    {
        int fd = accept(listener_, nullptr, nullptr);
        std::string in;
        char c = 0;
        while (recv(fd, &c, 1, 0) == 1) {
            if (c != '\n') {
                in += c;
                continue;
            }
            std::string out = answer(in) + "\n";
            (void)::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
            in.clear();
            if (++n_answers_ == 2000) {
                __atomic_store_n(stop_, 1, __ATOMIC_RELAXED);
            }
        }
        close(fd);
    }
    int *stop_;
    int listener_;
    std::string path_;
    unsigned n_answers_ = 0;
    std::map<std::string, std::string> values_;
    unsigned n_puts_ = 0;
    std::thread thread_;
};

TEST(LoadClient, NoticesKeysThatWereLost)
{
    int stop = 0;
    Forgetful server(&stop);
    load_result result = {};
    load_client_run(server.path(), 0, &stop, &result);
    EXPECT_GT(result.n_lost, 20u);
    EXPECT_EQ(result.n_odd, 0u) << result.first_odd;
    EXPECT_EQ(result.n_hung, 0u);
    EXPECT_NE(result.first_odd[0], '\0');
}

} // namespace
