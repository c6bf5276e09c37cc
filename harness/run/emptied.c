/* SPDX-License-Identifier: Apache-2.0 */
/* Availability, by asking: what a new arena serves, what an emptied one serves, and whether an
 * object that was freed can be had again. */
#include <string.h>

#include "harness/base/quiet.h"
#include "harness/run/call.h"

HRN_QUIET_BEGIN

#define GRAIN        16u /* the largest object of a new arena is known to so many bytes */
#define REFINE_MAX   8u  /* new arenas made to know it so well */
#define ECHO_EVERY   4u  /* frees in a tight arena */
#define FILL_LEAST   4u  /* an arena is filled with so many objects or more */
#define FILL_CHOICES 60u
#define SHRUNK_LEAST 64u /* what smaller objects give back may be too short to be used */
#define BY_ASKING                                                                                  \
    (HRN_BIT(HRN_PROMISE_empty_serves) | HRN_BIT(HRN_PROMISE_n_fit) |                              \
     HRN_BIT(HRN_PROMISE_shrunk_fit))

/* --- New arenas --- */

/* A new arena of the region, in which only this file allocates. */
struct scout {
    void *self;
    struct slm_adapter_env env;
    struct hrn_source source;
    struct hrn_source_total total;
};

static bool scout_begin(struct hrn_run *run, struct hrn_arena *arena, uint32_t arena_idx,
                        size_t size_bytes, struct scout *scout)
{
    if (!hrn_arena_open(run, arena, arena_idx, size_bytes)) {
        return false;
    }
    scout->total = (struct hrn_source_total){0};
    hrn_source_init(&scout->source, &scout->total, hrn_junk(run->head.content_seed));
    scout->env = arena->env;
    scout->env.source = &scout->source.source;
    scout->env.source_live_bytes = &scout->source.live_bytes;
    scout->self = run->adapter->create(&scout->env);
    return scout->self != NULL;
}

static void scout_end(const struct hrn_run *run, struct hrn_arena *arena, struct scout *scout)
{
    if (scout->self != NULL && run->adapter->destroy != NULL) {
        run->adapter->destroy(scout->self);
    }
    hrn_source_drop(&scout->source);
    hrn_region_close(&arena->region);
}

/* NULL: refused. */
static unsigned char *scout_ask(const struct hrn_run *run, struct hrn_arena *arena,
                                struct scout *scout, size_t size_bytes)
{
    unsigned char *p = run->adapter->alloc(scout->self, size_bytes);
    uintptr_t start = (uintptr_t)scout->env.region;
    uintptr_t at = (uintptr_t)p;
    if (p == NULL || at < start || size_bytes > scout->env.region_bytes ||
        at - start > scout->env.region_bytes - size_bytes) {
        return p; /* objects outside are the runner's to find */
    }
    hrn_region_use(&arena->region, p + size_bytes);
    if (!arena->is_sparse) { /* such a region is mapped again, maybe elsewhere */
        hrn_avail_extend(&arena->avail, p, size_bytes);
    }
    return p;
}

/* Whether a new arena serves the size. */
static bool new_serves(struct hrn_run *run, struct hrn_arena *arena, uint32_t arena_idx,
                       size_t size_bytes, size_t ask_bytes)
{
    struct scout scout = {0};
    bool served = false;
    if (scout_begin(run, arena, arena_idx, size_bytes, &scout)) {
        unsigned char *p = scout_ask(run, arena, &scout, ask_bytes);
        served = p != NULL;
        if (served) {
            (void)run->adapter->free(scout.self, p, ask_bytes);
        }
    }
    scout_end(run, arena, &scout);
    return served;
}

static size_t capped(const struct hrn_run *run, size_t size_bytes)
{
    size_t most = hrn_size_max(run->adapter);
    return hrn_asked_size(run->adapter, size_bytes < most ? size_bytes : most);
}

/* The largest object that a new arena serves, or almost: refused sizes first, which change nothing,
 * then sizes between in arenas of their own. */
static size_t find_largest(struct hrn_run *run, struct hrn_arena *arena, uint32_t arena_idx,
                           size_t size_bytes, size_t region_bytes)
{
    size_t refused = region_bytes + 1;
    size_t served = 0;
    for (size_t less = 0; served == 0 && less < region_bytes; less = less == 0 ? GRAIN : less * 2) {
        size_t ask = capped(run, region_bytes - less);
        if (new_serves(run, arena, arena_idx, size_bytes, ask)) {
            served = ask;
        } else {
            refused = ask;
        }
    }
    for (unsigned i = 0; served != 0 && refused > served + GRAIN && i < REFINE_MAX; i++) {
        size_t ask = capped(run, served + (refused - served) / 2);
        if (ask >= refused) {
            break;
        }
        if (new_serves(run, arena, arena_idx, size_bytes, ask)) {
            served = ask;
        } else {
            refused = ask;
        }
    }
    return served;
}

/* With about how many objects arenas are filled: differs from program to program. */
static size_t n_objects(const struct hrn_run *run)
{
    return FILL_LEAST + run->head.content_seed % FILL_CHOICES;
}

/* How many objects of a size a new arena has room for. */
static size_t count_fill(struct hrn_run *run, struct hrn_arena *arena, struct scout *scout,
                         size_t size_bytes)
{
    unsigned char *objects[HRN_FILL_MAX];
    size_t n = 0;
    while (n < HRN_FILL_MAX && (objects[n] = scout_ask(run, arena, scout, size_bytes)) != NULL) {
        n++;
    }
    for (size_t i = 0; i < n; i++) {
        (void)run->adapter->free(scout->self, objects[i], size_bytes);
    }
    return n;
}

void hrn_promise_scout(struct hrn_run *run, struct hrn_arena *arena, uint32_t arena_idx,
                       size_t size_bytes)
{
    const struct slm_adapter *adapter = run->adapter;
    struct hrn_avail *avail = &arena->avail;
    struct scout scout = {0};
    if ((run->watched & BY_ASKING) == 0 || adapter->memory != SLM_ADAPTER_REGION ||
        adapter->fresh_process) {
        return;
    }
    bool is_made = scout_begin(run, arena, arena_idx, size_bytes, &scout);
    size_t region_bytes = scout.env.region_bytes;
    if (is_made) {
        avail->fill_bytes = capped(run, region_bytes / n_objects(run));
        avail->new_fill = count_fill(run, arena, &scout, avail->fill_bytes);
    }
    scout_end(run, arena, &scout);
    if (is_made && hrn_promise_is_watched(run, HRN_PROMISE_empty_serves)) {
        avail->new_largest = find_largest(run, arena, arena_idx, size_bytes, region_bytes);
    }
}

/* In another region than the arena's, so nothing of the arena changes but what it must serve. */
void hrn_promise_grown(struct hrn_run *run, struct hrn_arena *arena)
{
    struct hrn_arena *spare = &run->spare;
    hrn_promise_changed(arena);
    if (arena->is_sparse || run->adapter->one_arena) {
        return;
    }
    hrn_promise_made(spare);
    hrn_promise_scout(run, spare, (uint32_t)run->n_arenas, arena->env.region_bytes);
    arena->avail.new_largest = spare->avail.new_largest;
    arena->avail.new_fill = spare->avail.new_fill;
    arena->avail.fill_bytes = spare->avail.fill_bytes;
}

/* --- Emptied arenas --- */

static uint32_t probe_id(const struct hrn_run *run, size_t n)
{
    return run->program->n_ids + (uint32_t)n;
}

static struct slm_adapter_request request_of(size_t size_bytes, size_t align_bytes)
{
    return (struct slm_adapter_request){align_bytes == 0 ? SLM_ADAPTER_CALL_ALLOC
                                                         : SLM_ADAPTER_CALL_ALLOC_ALIGNED,
                                        size_bytes, align_bytes};
}

static bool ask(struct hrn_run *run, struct hrn_arena *arena, size_t n, size_t size_bytes,
                size_t align_bytes)
{
    return hrn_object_alloc(run, arena, probe_id(run, n), request_of(size_bytes, align_bytes));
}

/* Where free declines, so that the object stays, nothing more is asked. */
static void drop(struct hrn_run *run, struct hrn_arena *arena, size_t n)
{
    if (!hrn_object_free(run, arena, probe_id(run, n))) {
        run->watched &= ~(BY_ASKING | HRN_BIT(HRN_PROMISE_freed_serves));
    }
}

/* Whether a refusal counts: the source refused nothing since. */
static bool source_gave(const struct hrn_arena *arena, uint64_t n_before)
{
    return arena->source.n_refused == n_before;
}

static void expect_served(struct hrn_run *run, struct hrn_arena *arena, size_t size_bytes,
                          size_t align_bytes, const char *by)
{
    uint64_t n_before = arena->source.n_refused;
    if (size_bytes == 0 || !hrn_arena_is_empty(arena)) {
        return;
    }
    if (ask(run, arena, 0, size_bytes, align_bytes)) {
        drop(run, arena, 0);
        hrn_promise_kept(run, HRN_PROMISE_empty_serves);
    } else if (source_gave(arena, n_before)) {
        const struct slm_adapter_request rq = request_of(size_bytes, align_bytes);
        char asked[HRN_REQUEST_TEXT_BYTES];
        hrn_promise_broken(run, HRN_PROMISE_empty_serves,
                           "no object is live, and %s are refused, which %s served",
                           hrn_request_text(&rq, asked), by);
    }
}

static void expect_singles(struct hrn_run *run, struct hrn_arena *arena)
{
    const struct hrn_avail avail = arena->avail;
    for (size_t i = 0; i < 2; i++) {
        const struct hrn_served *largest = &avail.largest[i];
        size_t align = largest->align == 0 ? 0 : (size_t)1 << (largest->align - 1);
        expect_served(run, arena, largest->size_bytes, align, "it");
    }
    expect_served(run, arena, avail.new_largest, 0, "a new arena of the same region");
}

/* One more object of the fill; false: refused. `shrunk`: it was twice as large at first. */
static bool fill_one(struct hrn_run *run, struct hrn_arena *arena, size_t n, size_t size,
                     bool shrunk)
{
    if (!shrunk || size > hrn_size_max(run->adapter) / 2 ||
        !ask(run, arena, n, hrn_asked_size(run->adapter, 2 * size), 0)) {
        return ask(run, arena, n, size, 0);
    }
    const struct hrn_op resize = {.kind = HRN_RESIZE, .size_bytes = size};
    hrn_object_resize(run, arena, probe_id(run, n), &resize);
    return true;
}

/* How many objects of the size the arena serves, up to `most`. Frees them. */
static size_t fill(struct hrn_run *run, struct hrn_arena *arena, size_t most, size_t size,
                   bool shrunk)
{
    size_t n = 0;
    while (n < most && fill_one(run, arena, n, size, shrunk)) {
        n++;
    }
    for (size_t i = 0; i < n; i += 2) {
        drop(run, arena, i);
    }
    for (size_t i = 1; i < n; i += 2) {
        drop(run, arena, i);
    }
    return n;
}

static void expect_fill(struct hrn_run *run, struct hrn_arena *arena, enum hrn_promise promise,
                        size_t want, size_t size, const char *by)
{
    uint64_t n_before = arena->source.n_refused;
    if (want == 0 || !hrn_promise_is_watched(run, promise) || !hrn_arena_is_empty(arena)) {
        return;
    }
    size_t most = want < HRN_FILL_MAX ? want : HRN_FILL_MAX;
    size_t n = fill(run, arena, most, size, promise == HRN_PROMISE_shrunk_fit);
    if (n >= most) {
        hrn_promise_kept(run, promise);
    } else if (source_gave(arena, n_before)) {
        hrn_promise_broken(
            run, promise, "no object is live, and of %zu bytes it serves %zu objects%s; %s %zu",
            size, n, promise == HRN_PROMISE_shrunk_fit ? " that were larger before" : "", by, most);
    }
}

/* The largest size of which so many fit, as n_fit says: there it is most likely to be wrong. */
static size_t largest_fit(const struct hrn_run *run, const struct hrn_arena *arena, size_t n)
{
    const struct slm_adapter *adapter = run->adapter;
    size_t fits = 0;
    size_t too_large = capped(run, arena->env.region_bytes) + 1;
    while (fits + 1 < too_large) {
        size_t size = fits + (too_large - fits) / 2;
        if (adapter->n_fit(arena->self, size) >= n) {
            fits = size;
        } else {
            too_large = size;
        }
    }
    return adapter->size_multiple_bytes == 0 ? fits : fits - fits % adapter->size_multiple_bytes;
}

static void expect_promised(struct hrn_run *run, struct hrn_arena *arena, size_t n)
{
    size_t size = largest_fit(run, arena, n);
    if (size > 0) {
        expect_fill(run, arena, HRN_PROMISE_n_fit, run->adapter->n_fit(arena->self, size), size,
                    "n_fit says");
    }
}

/* Single objects each time, and one way to fill the arena, by turns: fills cost the most. */
static void ask_all(struct hrn_run *run, struct hrn_arena *arena)
{
    enum { FILL_AS_NEW, FILL_AS_PROMISED, FILL_SHRUNK, N_FILLS };
    const struct slm_adapter *adapter = run->adapter;
    size_t new_fill = arena->avail.new_fill;
    size_t fill_bytes = arena->avail.fill_bytes;
    if (hrn_promise_is_watched(run, HRN_PROMISE_empty_serves)) {
        expect_singles(run, arena);
    }
    if (adapter->n_fit != NULL) {
        expect_promised(run, arena, 1);
    }
    switch ((run->head.content_seed + arena->avail.n_emptied++) % N_FILLS) {
    case FILL_AS_NEW:
        expect_fill(run, arena, HRN_PROMISE_empty_serves, new_fill, fill_bytes,
                    "a new arena of the same region");
        break;
    case FILL_AS_PROMISED:
        if (adapter->n_fit != NULL) {
            expect_promised(run, arena, n_objects(run));
        }
        break;
    default:
        if (hrn_call_can_resize(adapter) && fill_bytes >= SHRUNK_LEAST &&
            fill_bytes <= HRN_HUGE_BYTES / 2) {
            expect_fill(run, arena, HRN_PROMISE_shrunk_fit, new_fill, fill_bytes,
                        "without that, a new arena of the same region");
        }
        break;
    }
}

void hrn_promise_emptied(struct hrn_run *run, struct hrn_arena *arena)
{
    uint64_t n_refused = run->result->n_refused;
    size_t peak = run->result->peak_live_bytes;
    if ((run->watched & BY_ASKING) == 0 || run->is_asking || !hrn_arena_is_empty(arena)) {
        return;
    }
    run->is_asking = true;
    ask_all(run, arena);
    run->is_asking = false;
    run->result->n_refused = n_refused;
    run->result->peak_live_bytes = peak;
}

/* --- Freed objects --- */

void hrn_promise_echo(struct hrn_run *run, struct hrn_arena *arena)
{
    struct hrn_avail *avail = &arena->avail;
    uint64_t n_refused = run->result->n_refused;
    if (!hrn_promise_is_watched(run, HRN_PROMISE_freed_serves) || run->is_asking ||
        !avail->is_tight || avail->n_freed == 0 || avail->n_echoes++ % ECHO_EVERY != 0) {
        return;
    }
    run->is_asking = true;
    if (ask(run, arena, 0, avail->freed[avail->n_freed - 1], 0)) {
        drop(run, arena, 0);
    }
    run->is_asking = false;
    run->result->n_refused = n_refused;
}

HRN_QUIET_END
