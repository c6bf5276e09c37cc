/* SPDX-License-Identifier: Apache-2.0 */
/* Which refusals and grants are wrong, by what the runner sees. */
#include "harness/run/promise.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "harness/base/quiet.h"
#include "harness/run/call.h"

HRN_QUIET_BEGIN

#define FEW_BYTES        16u   /* a request that every arena has room for */
#define REGION_FEW_BYTES 4096u /* shorter regions may have no room for an object */
#define NO_ALIGN         HRN_N_ALIGNS

#define NAME(name) #name,
static const char *const names[HRN_PROMISE_COUNT] = {HRN_PROMISE_LIST(NAME)};
#define LAW(name) hrn_law_##name,
static void (*const laws[HRN_PROMISE_COUNT])(const char *format, ...) = {HRN_PROMISE_LIST(LAW)};

const char *hrn_promise_name(enum hrn_promise promise)
{
    return names[promise];
}

static uint32_t bit_if(bool is_set, enum hrn_promise promise)
{
    return is_set ? HRN_BIT(promise) : 0;
}

uint32_t hrn_promises_of(const struct slm_adapter *adapter)
{
    return bit_if(adapter->empty_serves, HRN_PROMISE_empty_serves) |
           bit_if(adapter->freed_serves, HRN_PROMISE_freed_serves) |
           bit_if(adapter->monotone, HRN_PROMISE_monotone) |
           bit_if(adapter->gap_serves || adapter->exact, HRN_PROMISE_gap_serves) |
           bit_if(adapter->exact, HRN_PROMISE_exact) |
           bit_if(adapter->n_fit != NULL, HRN_PROMISE_n_fit) |
           bit_if(adapter->shrunk_fit, HRN_PROMISE_shrunk_fit) |
           bit_if(adapter->growth_bytes != NULL, HRN_PROMISE_growth);
}

/* Those that can be observed although they are not declared. */
static uint32_t observable(const struct slm_adapter *adapter)
{
    bool in_region = adapter->memory == SLM_ADAPTER_REGION;
    bool has_footprint = adapter->footprint_bytes != NULL && in_region;
    return HRN_BIT(HRN_PROMISE_empty_serves) | HRN_BIT(HRN_PROMISE_freed_serves) |
           HRN_BIT(HRN_PROMISE_monotone) | bit_if(in_region, HRN_PROMISE_shrunk_fit) |
           bit_if(has_footprint, HRN_PROMISE_gap_serves) | bit_if(has_footprint, HRN_PROMISE_exact);
}

void hrn_promise_begin(struct hrn_run *run)
{
    run->promises = hrn_promises_of(run->adapter);
    run->watched = run->promises | (run->probe == NULL ? 0 : observable(run->adapter));
    run->is_asking = false;
}

bool hrn_promise_is_watched(const struct hrn_run *run, enum hrn_promise promise)
{
    return (run->watched >> promise & 1u) != 0;
}

void hrn_promise_kept(struct hrn_run *run, enum hrn_promise promise)
{
    if (run->probe != NULL) {
        run->probe->seen[promise].n_kept++;
    }
}

void hrn_promise_broken(struct hrn_run *run, enum hrn_promise promise, const char *format, ...)
{
    char text[HRN_LAW_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if ((run->promises >> promise & 1u) != 0) {
        laws[promise]("%s", text);
    }
    struct hrn_promise_seen *seen = &run->probe->seen[promise];
    if (seen->n_broken++ == 0) {
        memcpy(seen->first, text, sizeof text);
    }
}

/* --- Requests --- */

static unsigned log2_of(size_t power)
{
    return (unsigned)__builtin_ctzll((unsigned long long)power);
}

/* As in HRN_N_ALIGNS; NO_ALIGN: no request that any promise is about. */
static unsigned align_of(const struct slm_adapter *adapter, const struct slm_adapter_request *rq)
{
    bool is_plain = rq->call == SLM_ADAPTER_CALL_ALLOC || rq->call == SLM_ADAPTER_CALL_ALLOC_ZEROED;
    bool is_aligned =
        rq->call == SLM_ADAPTER_CALL_ALLOC_ALIGNED && hrn_align_is_served(adapter, rq->align_bytes);
    if (rq->size_bytes == 0 || rq->size_bytes > hrn_size_max(adapter) ||
        !(is_plain || is_aligned)) {
        return NO_ALIGN;
    }
    return is_plain ? 0 : 1 + log2_of(rq->align_bytes);
}

bool hrn_arena_is_empty(const struct hrn_arena *arena)
{
    return arena->live.n == 0 && arena->reuse.n == 0 && arena->n_handlers == 0 &&
           arena->files.n == 0;
}

static size_t few_bytes(const struct slm_adapter *adapter)
{
    return adapter->size_multiple_bytes > FEW_BYTES ? adapter->size_multiple_bytes : FEW_BYTES;
}

/* --- What changes --- */

static void forget_refusals(struct hrn_avail *avail)
{
    for (size_t i = 0; avail->any_refused && i < HRN_N_ALIGNS; i++) {
        avail->least_refused[i] = SIZE_MAX;
    }
    avail->any_refused = false;
    avail->gap_bytes = SIZE_MAX;
}

void hrn_promise_changed(struct hrn_arena *arena)
{
    forget_refusals(&arena->avail);
    arena->avail.n_freed = 0;
}

void hrn_promise_shrunk(struct hrn_arena *arena)
{
    struct hrn_avail *avail = &arena->avail;
    uintptr_t end = (uintptr_t)arena->env.region + arena->env.region_bytes;
    hrn_promise_changed(arena);
    avail->high = avail->high > end ? end : avail->high;
    avail->largest[0].size_bytes = 0;
    avail->largest[1].size_bytes = 0;
    avail->new_largest = 0;
    avail->new_fill = 0;
    avail->has_served = true; /* as a new arena it could have served what it cannot serve now */
    avail->few_served = 0;
}

void hrn_promise_made(struct hrn_arena *arena)
{
    arena->avail =
        (struct hrn_avail){.any_refused = true, .low = UINTPTR_MAX, .first_stale = arena->n_stale};
    forget_refusals(&arena->avail);
}

void hrn_avail_extend(struct hrn_avail *avail, const unsigned char *p, size_t n)
{
    avail->low = (uintptr_t)p < avail->low ? (uintptr_t)p : avail->low;
    avail->high = (uintptr_t)p + n > avail->high ? (uintptr_t)p + n : avail->high;
}

/* More objects, and bytes of them: modulo 2^64, so that they may also be fewer. */
static void count_live(struct hrn_avail *avail, size_t n, size_t n_bytes)
{
    avail->n_live += n;
    avail->live_bytes += n_bytes;
    avail->most_live = avail->n_live > avail->most_live ? avail->n_live : avail->most_live;
    avail->most_bytes =
        avail->live_bytes > avail->most_bytes ? avail->live_bytes : avail->most_bytes;
}

/* Whether alloc must have room for as many bytes as the object had, since it is freed. An object of a
 * size that was never asked for, all that was usable, says nothing; nor one that is aligned less than
 * objects of alloc may be. */
static bool serves_again(const struct slm_adapter *adapter, const struct hrn_object *o)
{
    struct slm_adapter_request rq = o->rq;
    rq.size_bytes = o->size_bytes;
    unsigned align = align_of(adapter, &rq);
    bool is_asked = o->size_bytes == o->rq.size_bytes || hrn_call_can_resize(adapter);
    bool is_aligned = align == 0 || (adapter->align_of == NULL &&
                                     rq.align_bytes >= hrn_align_of(adapter, NULL, rq.size_bytes));
    return align != NO_ALIGN && is_asked && is_aligned;
}

void hrn_promise_released(struct hrn_run *run, struct hrn_arena *arena, const struct hrn_object *o)
{
    struct hrn_avail *avail = &arena->avail;
    forget_refusals(avail);
    avail->n_live--;
    avail->live_bytes -= o->size_bytes;
    if (avail->n_freed < HRN_N_FREED && serves_again(run->adapter, o)) {
        avail->freed[avail->n_freed++] = o->size_bytes;
    }
    avail->is_tight &= !hrn_arena_is_empty(arena);
}

void hrn_promise_resized(struct hrn_arena *arena, size_t old_bytes, const unsigned char *p,
                         size_t n)
{
    hrn_avail_extend(&arena->avail, p, n);
    count_live(&arena->avail, 0, n - old_bytes);
    arena->avail.n_freed = 0;
    /* Also where it stays, with as many bytes: it may have had more than it needs, for an alignment
     * or because a rest was too short to be used alone. */
    forget_refusals(&arena->avail);
}

/* --- Gaps --- */

/* The length of a gap, at *at, between live objects in [low, high): the longest, or the first one
 * of `enough` bytes. */
static size_t find_gap(struct hrn_run *run, uintptr_t low, uintptr_t high, size_t enough,
                       uintptr_t *at)
{
    return low >= high ? 0 : hrn_map_gap(&run->model.map, low, high, enough, at);
}

static size_t footprint(const struct hrn_run *run, const struct hrn_arena *arena,
                        const struct slm_adapter_request *rq)
{
    return run->adapter->footprint_bytes(arena->self, rq->size_bytes, rq->align_bytes);
}

static void check_gaps(struct hrn_run *run, struct hrn_arena *arena,
                       const struct slm_adapter_request *rq)
{
    struct hrn_avail *avail = &arena->avail;
    size_t need = footprint(run, arena, rq);
    uintptr_t at = 0;
    if (need > avail->gap_bytes) {
        hrn_promise_kept(run, HRN_PROMISE_gap_serves);
        return;
    }
    size_t gap = find_gap(run, avail->low, avail->high, need, &at);
    if (gap >= need) {
        char asked[HRN_REQUEST_TEXT_BYTES];
        hrn_promise_broken(run, HRN_PROMISE_gap_serves,
                           "%s are refused; they take %zu, and from %p on %zu are in no object",
                           hrn_request_text(rq, asked), need, (void *)at, gap);
        return;
    }
    avail->gap_bytes = gap;
    hrn_promise_kept(run, HRN_PROMISE_gap_serves);
}

/* How much more than its size the longest gap has. */
static void measure_slack(struct hrn_run *run, const struct hrn_arena *arena,
                          const struct slm_adapter_request *rq)
{
    struct hrn_promise_probe *probe = run->probe;
    uintptr_t at;
    size_t gap = find_gap(run, arena->avail.low, arena->avail.high, SIZE_MAX, &at);
    probe->n_gaps++;
    if (gap > rq->size_bytes && gap - rq->size_bytes > probe->slack_bytes) {
        probe->slack_bytes = gap - rq->size_bytes;
    }
}

void hrn_promise_before(struct hrn_run *run, struct hrn_arena *arena,
                        const struct slm_adapter_request *rq)
{
    run->fits = true;
    if (!hrn_promise_is_watched(run, HRN_PROMISE_exact) || arena->n_added > 0 ||
        align_of(run->adapter, rq) == NO_ALIGN) {
        return;
    }
    uintptr_t start = (uintptr_t)arena->env.region;
    uintptr_t at;
    size_t need = footprint(run, arena, rq);
    run->fits = find_gap(run, start, start + arena->env.region_bytes, need, &at) >= need;
}

/* --- Grants --- */

static void check_monotone(struct hrn_run *run, const struct hrn_avail *avail,
                           const struct slm_adapter_request *rq, unsigned align)
{
    if (rq->size_bytes >= avail->least_refused[align]) {
        char asked[HRN_REQUEST_TEXT_BYTES];
        hrn_promise_broken(run, HRN_PROMISE_monotone,
                           "%s are served, and %zu were refused; no memory was released since",
                           hrn_request_text(rq, asked), avail->least_refused[align]);
    }
}

static bool was_freed(const struct hrn_avail *avail, size_t size_bytes, unsigned align)
{
    for (unsigned i = 0; align == 0 && i < avail->n_freed; i++) {
        if (avail->freed[i] == size_bytes) {
            return true;
        }
    }
    return false;
}

static void note_served(struct hrn_avail *avail, size_t size_bytes, unsigned align)
{
    struct hrn_served *largest = &avail->largest[align != 0];
    if (size_bytes > largest->size_bytes) {
        *largest = (struct hrn_served){size_bytes, align};
    }
    avail->few_served |= align == 0 && size_bytes < 32 ? 1u << size_bytes : 0;
}

/* Whether an object that was freed lately was at p. */
static bool is_stale(const struct hrn_arena *arena, const unsigned char *p)
{
    unsigned n = arena->n_stale - arena->avail.first_stale;
    n = n < HRN_N_STALE ? n : HRN_N_STALE;
    while (n > 0 && arena->stale[(arena->n_stale - n) % HRN_N_STALE] != p) {
        n--;
    }
    return n > 0;
}

static void check_growth(struct hrn_run *run, struct hrn_arena *arena)
{
    const struct hrn_avail *avail = &arena->avail;
    size_t taken = arena->source.live_bytes;
    if (run->adapter->growth_bytes != NULL) {
        size_t most = run->adapter->growth_bytes(arena->self, avail->most_live, avail->most_bytes);
        if (taken > most) {
            hrn_promise_broken(run, HRN_PROMISE_growth,
                               "%zu bytes are taken from the source, and growth_bytes says %zu: at "
                               "most %zu objects of %zu bytes were live at once",
                               taken, most, avail->most_live, avail->most_bytes);
        }
    } else if (run->probe != NULL && taken > 0) {
        size_t free_of = 2 * avail->most_bytes;
        size_t more = taken > free_of ? taken - free_of : 0;
        run->probe->n_grown++;
        run->probe->growth_bytes =
            more > run->probe->growth_bytes ? more : run->probe->growth_bytes;
    }
}

void hrn_promise_granted(struct hrn_run *run, struct hrn_arena *arena,
                         const struct slm_adapter_request *rq, const unsigned char *p)
{
    struct hrn_avail *avail = &arena->avail;
    unsigned align = align_of(run->adapter, rq);
    count_live(avail, 1, rq->size_bytes);
    if (run->watched != 0) {
        check_growth(run, arena);
    }
    avail->has_served = true;
    avail->has_reused = avail->has_reused || is_stale(arena, p);
    hrn_avail_extend(avail, p, rq->size_bytes);
    if (align == NO_ALIGN) {
        avail->n_freed = 0;
        return;
    }
    note_served(avail, rq->size_bytes, align);
    if (run->watched != 0) {
        if (was_freed(avail, rq->size_bytes, align)) {
            hrn_promise_kept(run, HRN_PROMISE_freed_serves);
        }
        if (hrn_promise_is_watched(run, HRN_PROMISE_monotone)) {
            check_monotone(run, avail, rq, align);
        }
        if (!run->fits) {
            char asked[HRN_REQUEST_TEXT_BYTES];
            hrn_promise_broken(
                run, HRN_PROMISE_exact,
                "%s are served, and no gap between live objects has the %zu that they take",
                hrn_request_text(rq, asked), footprint(run, arena, rq));
        }
    }
    avail->n_freed = 0;
}

/* --- Refusals --- */

/* What no allocator does. */
static void check_few(const struct hrn_run *run, const struct hrn_arena *arena,
                      const struct slm_adapter_request *rq)
{
    const struct hrn_avail *avail = &arena->avail;
    size_t region_bytes = arena->env.region_bytes;
    bool in_region = run->adapter->memory == SLM_ADAPTER_REGION;
    if (rq->size_bytes > few_bytes(run->adapter) || !hrn_arena_is_empty(arena) ||
        (in_region && region_bytes < REGION_FEW_BYTES)) {
        return;
    }
    if (!avail->has_served) {
        hrn_law_availability("a new arena refuses %zu bytes, in a region of %zu; if none so short "
                             "serves any, declare region_min_bytes",
                             rq->size_bytes, region_bytes);
    }
    if (avail->has_reused && rq->size_bytes < 32 &&
        (avail->few_served >> rq->size_bytes & 1u) != 0) {
        hrn_law_availability("all objects were freed, and %zu bytes, served before, are refused, "
                             "in a region of %zu",
                             rq->size_bytes, region_bytes);
    }
}

static void check_freed(struct hrn_run *run, const struct hrn_avail *avail,
                        const struct slm_adapter_request *rq, unsigned align)
{
    if (was_freed(avail, rq->size_bytes, align)) {
        hrn_promise_broken(run, HRN_PROMISE_freed_serves,
                           "%zu bytes are refused, right after an object of so many was freed",
                           rq->size_bytes);
    }
}

static void check_promises(struct hrn_run *run, struct hrn_arena *arena,
                           const struct slm_adapter_request *rq, unsigned align)
{
    struct hrn_avail *avail = &arena->avail;
    if (hrn_promise_is_watched(run, HRN_PROMISE_freed_serves)) {
        check_freed(run, avail, rq, align);
    }
    if (rq->size_bytes >= avail->least_refused[align]) {
        hrn_promise_kept(run, HRN_PROMISE_monotone);
    }
    if (arena->n_added > 0) { /* between two regions is no gap */
        return;
    }
    if (hrn_promise_is_watched(run, HRN_PROMISE_gap_serves)) {
        check_gaps(run, arena, rq);
    } else if (run->probe != NULL && run->adapter->memory == SLM_ADAPTER_REGION && align == 0) {
        measure_slack(run, arena, rq);
    }
    if (!run->fits) {
        hrn_promise_kept(run, HRN_PROMISE_exact);
    }
}

void hrn_promise_refused(struct hrn_run *run, struct hrn_arena *arena,
                         const struct slm_adapter_request *rq, uint64_t n_source_refusals)
{
    struct hrn_avail *avail = &arena->avail;
    unsigned align = align_of(run->adapter, rq);
    if (n_source_refusals > 0 || align == NO_ALIGN || hrn_fault_on(HRN_FAULT_BELIEVE_REFUSAL)) {
        return;
    }
    if (align == 0) {
        check_few(run, arena, rq);
    }
    avail->is_tight = true;
    if (run->watched != 0) {
        check_promises(run, arena, rq, align);
    }
    avail->any_refused = true;
    if (rq->size_bytes < avail->least_refused[align]) {
        avail->least_refused[align] = rq->size_bytes;
    }
}

HRN_QUIET_END
