/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's answers are in its pool until the client reads them, and no longer. */
#include "examples/limitd/conn.h"

#include <string>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

/* PING and errors need no zone. */
class LimitdConn : public testing::Test {
  protected:
    void SetUp() override
    {
        int fds[2];
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
        client_ = fds[1];
        conn_ = limitd_conn_create(fds[0]);
        ASSERT_NE(conn_, nullptr);
    }

    void TearDown() override
    {
        limitd_conn_destroy(conn_, &service_);
        close(client_);
    }

    void send(const std::string &text)
    {
        ASSERT_EQ(write(client_, text.data(), text.size()), ssize_t(text.size()));
    }

    void serve(uint64_t now_ms = 0)
    {
        limitd_conn_serve(conn_, &service_, true, now_ms);
    }

    /* All that the client can read now. */
    std::string read_all()
    {
        std::string all;
        char some[4096];
        for (ssize_t n; (n = read(client_, some, sizeof some)) > 0;) {
            all.append(some, size_t(n));
        }
        return all;
    }

    size_t source_bytes() const
    {
        struct slm_pool_stats stats;
        slm_pool_get_stats(conn_->pool, &stats);
        return stats.source_bytes;
    }

    /* Whether the pool gives a new object the address that the first object after a reset gets. */
    bool pool_is_empty()
    {
        void *object = slm_pool_alloc(conn_->pool, 16);
        bool is_first = object == first_object_;
        EXPECT_EQ(slm_pool_give_back(conn_->pool, object, 16), SLM_OK);
        return is_first;
    }

    void note_first_object()
    {
        first_object_ = slm_pool_alloc(conn_->pool, 16);
        ASSERT_EQ(slm_pool_give_back(conn_->pool, first_object_, 16), SLM_OK);
    }

    int client_ = -1;
    limitd_conn *conn_ = nullptr;
    limitd_service service_ = {};
    void *first_object_ = nullptr;
};

const std::string kPong = "PONG " + std::to_string(getpid()) + "\n";

TEST_F(LimitdConn, PoolIsEmptyOnceTheAnswerIsSent)
{
    note_first_object();
    send("PING\n");
    serve();
    EXPECT_EQ(read_all(), kPong);
    EXPECT_TRUE(pool_is_empty());
}

TEST_F(LimitdConn, ThousandRequestsTakeTheMemoryOfOne)
{
    send("PING\n");
    serve();
    size_t after_one = source_bytes();
    for (int i = 0; i < 1000; i++) {
        send("PING\n");
        serve();
        ASSERT_EQ(read_all().empty(), false);
    }
    EXPECT_EQ(source_bytes(), after_one);
}

TEST_F(LimitdConn, AnswersThatTheClientDoesNotReadStayInThePoolAndAreBounded)
{
    int bytes = 4096;
    ASSERT_EQ(setsockopt(conn_->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
    note_first_object();
    std::string line = "PING\n";
    size_t n_sent = 0;
    /* Until the connection reads no more: then what the client sends stays in the socket. */
    while (limitd_conn_wants_in(conn_)) {
        if (write(client_, line.data(), line.size()) == ssize_t(line.size())) {
            n_sent++;
        }
        serve();
    }
    EXPECT_FALSE(pool_is_empty());
    EXPECT_LE(conn_->out_bytes, LIMITD_OUT_BYTES);
    EXPECT_LE(source_bytes(), 2 * size_t(LIMITD_OUT_BYTES));

    std::string answers;
    for (size_t n_before = SIZE_MAX; answers.size() != n_before;) {
        n_before = answers.size();
        answers += read_all();
        serve();
        answers += read_all();
    }
    EXPECT_EQ(answers.size(), n_sent * kPong.size());
    EXPECT_TRUE(pool_is_empty());
}

TEST_F(LimitdConn, IsUsedWhenItsClientSendsOrTakesBytesOnly)
{
    serve(5);
    EXPECT_EQ(conn_->used_ms, 0u);
    send("PI");
    serve(6);
    EXPECT_EQ(conn_->used_ms, 6u);
    serve(7);
    EXPECT_EQ(conn_->used_ms, 6u);
    send("NG\n");
    serve(8);
    EXPECT_EQ(conn_->used_ms, 8u);

    /* A client that reads nothing, until an answer waits. */
    int bytes = 4096;
    ASSERT_EQ(setsockopt(conn_->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes), 0);
    while (!limitd_conn_wants_out(conn_)) {
        send("PING\n");
        serve(9);
    }
    serve(10);
    EXPECT_EQ(conn_->used_ms, 9u);
    EXPECT_FALSE(read_all().empty());
    serve(11);
    EXPECT_EQ(conn_->used_ms, 11u);
}

TEST_F(LimitdConn, LineThatIsTooLongIsAnsweredFromThePoolToo)
{
    note_first_object();
    for (int i = 0; i < 5; i++) {
        send(std::string(4096, 'x'));
        serve();
    }
    send("\nPING\n");
    serve();
    EXPECT_EQ(read_all(), "ERR a line of more than 16384 bytes\n" + kPong);
    EXPECT_TRUE(pool_is_empty());
}

} // namespace
