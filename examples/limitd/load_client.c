/* SPDX-License-Identifier: Apache-2.0 */
/* Random questions, and what their answers must be. */
#include "examples/limitd/load_client.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOLDS_MAX     8u
#define VALUE_PAD_MAX 300u

/* Bounds of a number that only grows: at least what was answered, at most what was asked. */
struct span {
    uint64_t answered;
    uint64_t asked;
};

struct client {
    struct limitd_link link;
    struct load_result *result;
    unsigned idx;
    uint64_t random;
    unsigned n_holds;
    uint64_t hold_link; /* the connection that the holds belong to */
    struct span values[LOAD_KEYS];
    struct span uses[LOAD_KEYS];
};

/* xorshift64 */
static uint64_t draw(struct client *client, uint64_t below)
{
    client->random ^= client->random << 13;
    client->random ^= client->random >> 7;
    client->random ^= client->random << 17;
    return client->random % below;
}

static const char *ask(struct client *client, const char *line)
{
    const char *answer = limitd_link_ask(&client->link, line);
    client->result->n_answered += answer != NULL ? 1 : 0;
    client->result->n_reconnects = client->link.n_made > 0 ? client->link.n_made - 1 : 0;
    client->result->n_hung = client->link.n_hung;
    return answer;
}

static void note(struct client *client, uint64_t *counter, const char *line, const char *answer)
{
    struct load_result *result = client->result;
    if (result->n_odd + result->n_lost == 0) {
        snprintf(result->first_odd, sizeof result->first_odd, "%.60s -> %.80s", line, answer);
    }
    (*counter)++;
}

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

/* The value of a generation: its length and bytes follow from it. */
static void write_value(const struct client *client, unsigned key, uint64_t generation, char *value)
{
    int n = sprintf(value, "%u/%u/%llu/", client->idx, key, (unsigned long long)generation);
    size_t n_pad = (size_t)((generation * 7919 + key) % VALUE_PAD_MAX);
    memset(value + n, 'a' + (int)(generation % 26), n_pad);
    value[(size_t)n + n_pad] = '\0';
}

static void put(struct client *client, unsigned key)
{
    struct span *span = &client->values[key];
    char value[VALUE_PAD_MAX + 64];
    char line[VALUE_PAD_MAX + 128];
    span->asked++;
    write_value(client, key, span->asked, value);
    sprintf(line, "PUT s%u.%u 100000 %s", client->idx, key, value);
    const char *answer = ask(client, line);
    if (answer == NULL) {
        return;
    }
    if (strcmp(answer, "OK") == 0) {
        span->answered = span->asked;
    } else {
        note(client, &client->result->n_odd, line, answer);
    }
}

/* Whether the key may have that value. If so, remembers it as the key's value. */
static bool value_is_right(struct client *client, unsigned key, const char *answer)
{
    struct span *span = &client->values[key];
    char value[VALUE_PAD_MAX + 64];
    if (strcmp(answer, "NONE") == 0) {
        return span->answered == 0;
    }
    for (uint64_t generation = span->answered; generation <= span->asked; generation++) {
        write_value(client, key, generation, value);
        if (generation > 0 && begins(answer, "VALUE ") && strcmp(answer + 6, value) == 0) {
            span->answered = generation;
            return true;
        }
    }
    return false;
}

/* False: no answer came. */
static bool get(struct client *client, unsigned key)
{
    char line[64];
    sprintf(line, "GET s%u.%u", client->idx, key);
    const char *answer = ask(client, line);
    if (answer == NULL) {
        return false;
    }
    if (!value_is_right(client, key, answer)) {
        note(client, &client->result->n_lost, line, answer);
    }
    return true;
}

static bool use(struct client *client, unsigned key)
{
    struct span *span = &client->uses[key];
    char line[64];
    span->asked++;
    sprintf(line, "CACHE c%u.%u", client->idx, key);
    const char *answer = ask(client, line);
    if (answer == NULL) {
        return false;
    }
    if (!begins(answer, "HIT ") && !begins(answer, "MISS ")) {
        note(client, &client->result->n_odd, line, answer);
        return true;
    }
    uint64_t n_uses = strtoull(strchr(answer, ' ') + 1, NULL, 10);
    if (n_uses <= span->answered || n_uses > span->asked) {
        note(client, &client->result->n_lost, line, answer);
    }
    span->answered = n_uses;
    return true;
}

static void request(struct client *client, unsigned key)
{
    char line[64];
    sprintf(line, "REQ r%u.%u", client->idx, key);
    const char *answer = ask(client, line);
    if (answer != NULL && !begins(answer, "OK ") && !begins(answer, "LIMITED ")) {
        note(client, &client->result->n_odd, line, answer);
    }
}

/* Holds end with their connection. */
static void hold(struct client *client)
{
    char line[64];
    bool ends = client->link.fd >= 0 && client->hold_link == client->link.n_made &&
                client->n_holds == HOLDS_MAX;
    sprintf(line, "CONN%c n%u", ends ? '-' : '+', client->idx);
    const char *answer = ask(client, line);
    if (answer == NULL) {
        return;
    }
    if (client->hold_link != client->link.n_made) {
        client->hold_link = client->link.n_made;
        client->n_holds = 0;
    }
    bool is_limited = begins(answer, "LIMITED ");
    client->n_holds += is_limited ? 0 : ends ? UINT32_MAX : 1;
    if (!is_limited && !begins(answer, "OK ")) {
        note(client, &client->result->n_odd, line, answer);
    } else if (strtoull(strchr(answer, ' ') + 1, NULL, 10) < client->n_holds) {
        note(client, &client->result->n_lost, line, answer);
    }
}

static void ask_something(struct client *client)
{
    unsigned key = (unsigned)draw(client, LOAD_KEYS);
    uint64_t which = draw(client, 100);
    if (which < 30) {
        put(client, key);
    } else if (which < 60) {
        (void)get(client, key);
    } else if (which < 75) {
        (void)use(client, key);
    } else if (which < 95) {
        request(client, key);
    } else {
        hold(client);
    }
}

static void verify(struct client *client)
{
    for (unsigned key = 0; key < LOAD_KEYS; key++) {
        /* Workers may still be dying: each question is asked until it is answered, or hangs. */
        while (!get(client, key) && client->link.n_hung == 0) {
        }
        while (!use(client, key) && client->link.n_hung == 0) {
        }
        client->result->n_verified += 2;
    }
}

void load_client_run(const char *path, unsigned client_idx, const int *stop,
                     struct load_result *result)
{
    struct client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        result->n_odd++;
        return;
    }
    limitd_link_init(&client->link, path);
    client->result = result;
    client->idx = client_idx;
    client->random = 88172645463325252u + client_idx;
    while (__atomic_load_n(stop, __ATOMIC_RELAXED) == 0) {
        ask_something(client);
    }
    verify(client);
    limitd_link_fini(&client->link);
    free(client);
}
