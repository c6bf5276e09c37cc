/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of the libraries in examples/. */
#include <csignal>
#include <cstring>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#include "examples/cache_index/cache_index.h"
#include "examples/limit_conn/limit_conn.h"
#include "examples/limit_req/limit_req.h"
#include "examples/session_cache/session_cache.h"
#include "examples/shared_dict/shared_dict.h"
#include "tests/kill/scenario.h"

namespace kill_test {
namespace {

using Act = std::function<void(World &, slm_zone *)>;
using Use = std::function<void(slm_zone *)>;

const Shape ROOMY = {128 * 1024, 0, 8, 1024};
const slm_limit_req_rule RULE = {1000, 2000};
constexpr uint64_t NOW_MS = 1000000;
constexpr uint64_t LATER_MS = NOW_MS + 10 * SLM_LIMIT_REQ_IDLE_MS;

/* For a call that must succeed. */
void must(slm_status status)
{
    expect(status == SLM_OK, slm_status_text(status));
}

/* The calls take the lock themselves, but scenarios are prepared under the lock. So this unlocks
 * first. */
std::function<void(World &)> prepare_with(slm_status (*init)(slm_zone *), const Use &use)
{
    return [=](World &world) {
        must(init(world.ours()));
        must(slm_zone_unlock(world.ours()));
        if (use) {
            use(world.ours());
        }
        must(slm_zone_lock(world.ours()));
    };
}

/* A scenario of one library. */
class Scene {
  public:
    Scene(std::vector<Scenario> *list, const std::string &library, slm_status (*init)(slm_zone *),
          unsigned (*check)(slm_zone *))
        : list_(list), library_(library), init_(init), check_(check)
    {
    }

    Scenario &add(const std::string &name, const Use &use, int objects, const Use &act,
                  size_t n_transactions = 1)
    {
        Scenario scenario;
        scenario.name = library_ + ": " + name;
        scenario.shape = ROOMY;
        scenario.prepare = prepare_with(init_, use);
        scenario.operate = [act](World &, slm_zone *zone) { act(zone); };
        scenario.change.objects = objects;
        scenario.check = check_;
        scenario.n_transactions = n_transactions;
        list_->push_back(scenario);
        return list_->back();
    }

  private:
    std::vector<Scenario> *list_;
    std::string library_;
    slm_status (*init_)(slm_zone *);
    unsigned (*check_)(slm_zone *);
};

/* --- limit_req --- */

void hit(slm_zone *zone, const char *key, uint64_t now_ms)
{
    slm_limit_req_verdict verdict;
    (void)slm_limit_req_hit(zone, key, strlen(key), &RULE, now_ms, &verdict);
}

Use hits(const char *key, unsigned n, uint64_t now_ms)
{
    return [=](slm_zone *zone) {
        for (unsigned i = 0; i < n; i++) {
            hit(zone, key, now_ms);
        }
    };
}

void hit_three_keys(slm_zone *zone)
{
    for (const char *key : {"a", "b", "c"}) {
        hit(zone, key, NOW_MS);
    }
}

void add_limit_req(std::vector<Scenario> *list)
{
    Scene scene(list, "limit_req", slm_limit_req_init_locked, slm_limit_req_check_locked);
    scene.add("a new key", hit_three_keys, 1, hits("d", 1, NOW_MS));
    scene.add("a known key", hit_three_keys, 0, hits("a", 1, NOW_MS));
    scene.add("a key beyond its limit", hits("a", 4, NOW_MS), 0, hits("a", 1, NOW_MS));
    scene.add("a new key drops two idle ones", hit_three_keys, -1, hits("d", 1, LATER_MS), 3);
    scene.add(
        "a new key takes the object of an old one, since memory is out",
        [](slm_zone *zone) {
            struct slm_keyed_stats stats;
            unsigned i = 0;
            do {
                hit(zone, std::to_string(10000 + i++).c_str(), NOW_MS);
                must(slm_limit_req_get_stats(zone, &stats));
            } while (stats.n_evicted == 0);
        },
        0, hits("55555", 1, NOW_MS));
    scene.add(
        "a new key drops an old one, since memory is out",
        [](slm_zone *zone) {
            struct slm_keyed_stats stats;
            unsigned i = 0;
            do {
                hit(zone, (std::string(600, 'k') + std::to_string(i++)).c_str(), NOW_MS);
                must(slm_limit_req_get_stats(zone, &stats));
            } while (stats.n_evicted == 0);
        },
        0, [key = std::string(600, 'z') + "0"](slm_zone *zone) { hit(zone, key.c_str(), NOW_MS); },
        3);
}

/* --- limit_conn --- */

/* The victim's slot and lease. Its parent has its own copy. */
slm_lease_worker worker;
slm_limit_conn_grant grant;
slm_cache_index_use opened;

void connect(slm_zone *zone, const char *key)
{
    (void)slm_limit_conn_acquire(zone, &worker, key, strlen(key), 2, &grant);
}

Act join_conn(const char *key, unsigned n_connections)
{
    return [=](World &, slm_zone *zone) {
        (void)slm_limit_conn_join(zone, &worker);
        for (unsigned i = 0; i < n_connections; i++) {
            connect(zone, key);
        }
    };
}

void disconnect(slm_zone *zone)
{
    (void)slm_limit_conn_release(zone, &worker, &grant.lease, nullptr);
}

/* A process dies with connections and without the lock. */
std::function<void(World &)> die_connected(unsigned n)
{
    return [n](World &world) {
        pid_t child = fork();
        if (child == 0) {
            join_conn("a", n)(world, world.theirs());
            (void)kill(getpid(), SIGKILL);
        }
        int status = 0;
        expect(child > 0 && waitpid(child, &status, 0) == child, "no child");
    };
}

void add_limit_conn(std::vector<Scenario> *list)
{
    Scene scene(list, "limit_conn", slm_limit_conn_init_locked, slm_limit_conn_check_locked);
    Use nothing;
    scene.add("join", nothing, 0, [](slm_zone *zone) { (void)slm_limit_conn_join(zone, &worker); });
    auto connect_a = [](slm_zone *zone) { connect(zone, "a"); };
    scene.add("a key's first connection", nothing, 2, connect_a, 2).enter = join_conn("a", 0);
    scene.add("a key's second connection", nothing, 3, connect_a, 2).enter = join_conn("a", 1);
    /* It checks in /proc whether each worker lives, and the numbers there vary in length. */
    Scenario &refused = scene.add("a connection too many", nothing, 3, connect_a);
    refused.enter = join_conn("a", 2);
    refused.varies = true;
    scene.add("one connection is released", nothing, 2, disconnect, 2).enter = join_conn("a", 2);
    scene.add("the last connection is released", nothing, 0, disconnect, 2).enter =
        join_conn("a", 1);
    auto leave = [](slm_zone *zone) { (void)slm_limit_conn_leave(zone, &worker); };
    scene.add("leave with two connections", nothing, 0, leave, 4).enter = join_conn("a", 2);
    auto reclaim = [](slm_zone *zone) { (void)slm_limit_conn_reclaim(zone, nullptr); };
    scene.add("reclaim of two connections", nothing, -3, reclaim, 3).wound = die_connected(2);
}

/* --- cache_index --- */

void open_key(slm_zone *zone, const char *key, uint64_t now_ms)
{
    (void)slm_cache_index_open(zone, &worker, key, strlen(key), 1000, now_ms, &opened);
}

void close_key(slm_zone *zone)
{
    (void)slm_cache_index_close(zone, &worker, &opened.lease);
}

Act join_cache(bool opens)
{
    return [=](World &, slm_zone *zone) {
        (void)slm_cache_index_join(zone, &worker);
        if (opens) {
            open_key(zone, "a", NOW_MS);
        }
    };
}

/* Keys that a process used and closed before it left. */
void use_three_keys(slm_zone *zone)
{
    must(slm_cache_index_join(zone, &worker));
    for (const char *key : {"a", "b", "c"}) {
        open_key(zone, key, NOW_MS);
        close_key(zone);
    }
    must(slm_cache_index_leave(zone, &worker));
}

void add_cache_index(std::vector<Scenario> *list)
{
    Scene scene(list, "cache_index", slm_cache_index_init_locked, slm_cache_index_check_locked);
    scene
        .add(
            "open a new key", use_three_keys, 2,
            [](slm_zone *zone) { open_key(zone, "d", NOW_MS); }, 2)
        .enter = join_cache(false);
    scene
        .add(
            "open a known key", use_three_keys, 1,
            [](slm_zone *zone) { open_key(zone, "b", NOW_MS); }, 2)
        .enter = join_cache(false);
    scene.add("close", use_three_keys, 0, close_key, 2).enter = join_cache(true);
    auto expire = [](slm_zone *zone) {
        (void)slm_cache_index_expire(zone, 1000, LATER_MS, 10, nullptr);
    };
    scene.add("expire three keys", use_three_keys, -3, expire, 3);
    scene.add("expire two, one is open", use_three_keys, -1, expire, 4).enter = join_cache(true);
}

/* --- session_cache --- */

const std::string BLOB(700, 'b');

void put(slm_zone *zone, const char *id, size_t n_bytes, uint64_t now_ms)
{
    (void)slm_session_cache_put(zone, id, strlen(id), BLOB.data(), n_bytes, 1000, now_ms);
}

void put_three(slm_zone *zone)
{
    for (const char *id : {"a", "b", "c"}) {
        put(zone, id, 500, NOW_MS);
    }
}

Use get_at(uint64_t now_ms)
{
    return [=](slm_zone *zone) {
        char buffer[800];
        slm_session session;
        (void)slm_session_cache_get(zone, "b", 1, now_ms, buffer, sizeof buffer, &session);
    };
}

void add_session_cache(std::vector<Scenario> *list)
{
    Scene scene(list, "session_cache", slm_session_cache_init_locked,
                slm_session_cache_check_locked);
    scene.add("put a new session", put_three, 1,
              [](slm_zone *zone) { put(zone, "d", 600, NOW_MS); });
    scene.add("put in place of another", put_three, 0,
              [](slm_zone *zone) { put(zone, "b", 700, NOW_MS); });
    scene.add(
        "put drops two expired ones", put_three, -1,
        [](slm_zone *zone) { put(zone, "d", 600, LATER_MS); }, 3);
    scene.add("get", put_three, 0, get_at(NOW_MS));
    scene.add("get an expired session", put_three, -1, get_at(LATER_MS));
    scene.add("remove", put_three, -1,
              [](slm_zone *zone) { (void)slm_session_cache_remove(zone, "b", 1); });
    scene.add(
        "expire three sessions", put_three, -3,
        [](slm_zone *zone) { (void)slm_session_cache_expire(zone, LATER_MS, 10, nullptr); }, 3);
}

/* --- shared_dict --- */

void put_value(slm_zone *zone, const char *key, size_t n_bytes, uint64_t now_ms)
{
    slm_shared_dict_value value = {BLOB.data(), n_bytes, 1000};
    (void)slm_shared_dict_put(zone, key, strlen(key), &value, now_ms);
}

void put_three_values(slm_zone *zone)
{
    put_value(zone, "a", 500, NOW_MS);
    put_value(zone, "b", 8, NOW_MS);
    put_value(zone, "c", 500, NOW_MS);
}

Use add_value(const char *key)
{
    return [=](slm_zone *zone) {
        slm_shared_dict_value value = {BLOB.data(), 600, SLM_SHARED_DICT_FOREVER};
        (void)slm_shared_dict_add(zone, key, strlen(key), &value, NOW_MS);
    };
}

Use increment(const char *key)
{
    return [=](slm_zone *zone) {
        slm_shared_dict_step step = {3, true, 0, 1000};
        int64_t sum;
        (void)slm_shared_dict_increment(zone, key, strlen(key), &step, NOW_MS, &sum);
    };
}

Use get_value_at(uint64_t now_ms)
{
    return [=](slm_zone *zone) {
        char buffer[800];
        slm_shared_dict_found found;
        (void)slm_shared_dict_get(zone, "a", 1, now_ms, buffer, sizeof buffer, &found);
    };
}

Use set_ttl(uint64_t ttl_ms)
{
    return [=](slm_zone *zone) { (void)slm_shared_dict_set_ttl(zone, "a", 1, ttl_ms, NOW_MS); };
}

void add_shared_dict(std::vector<Scenario> *list)
{
    Scene scene(list, "shared_dict", slm_shared_dict_init_locked, slm_shared_dict_check_locked);
    scene.add("put in place of another", put_three_values, 0,
              [](slm_zone *zone) { put_value(zone, "b", 700, NOW_MS); });
    scene.add(
        "put drops two expired ones", put_three_values, -1,
        [](slm_zone *zone) { put_value(zone, "d", 600, LATER_MS); }, 3);
    scene.add("add a new key", put_three_values, 1, add_value("d"));
    scene.add("add a known key", put_three_values, 0, add_value("a"));
    scene.add("increment a number", put_three_values, 0, increment("b"));
    scene.add("increment makes a key", put_three_values, 1, increment("d"));
    scene.add("get", put_three_values, 0, get_value_at(NOW_MS));
    scene.add("get an expired value", put_three_values, -1, get_value_at(LATER_MS));
    scene.add("another time to live", put_three_values, 0, set_ttl(5000));
    scene.add("no end of life", put_three_values, 0, set_ttl(SLM_SHARED_DICT_FOREVER));
    scene.add("remove", put_three_values, -1,
              [](slm_zone *zone) { (void)slm_shared_dict_remove(zone, "b", 1); });
}

} // namespace

void add_example_scenes(std::vector<Scenario> *list)
{
    add_limit_req(list);
    add_limit_conn(list);
    add_cache_index(list);
    add_session_cache(list);
    add_shared_dict(list);
}

} // namespace kill_test
