/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of traces as tables: fields of each operation, words, ranges of the head. */
#include "harness/trace/text.h"

static const enum hrn_field fields[HRN_KIND_COUNT][HRN_FIELDS_MAX] = {
    [HRN_ALLOC] = {HRN_FIELD_NEW_OR_NO, HRN_FIELD_SIZE, HRN_FIELD_BY},
    [HRN_NALLOC] = {HRN_FIELD_NEW_OR_NO, HRN_FIELD_SIZE},
    [HRN_CALLOC] = {HRN_FIELD_NEW_OR_NO, HRN_FIELD_SIZE},
    [HRN_MEMALIGN] = {HRN_FIELD_NEW_OR_NO, HRN_FIELD_SIZE, HRN_FIELD_ALIGN},
    [HRN_FREE] = {HRN_FIELD_ID, HRN_FIELD_WHERE},
    [HRN_RESIZE] = {HRN_FIELD_ID, HRN_FIELD_SIZE, HRN_FIELD_WAY, HRN_FIELD_WAY_ALIGN},
    [HRN_BURST] = {HRN_FIELD_NEW_ID, HRN_FIELD_SIZE, HRN_FIELD_COUNT},
    [HRN_DRAIN] = {HRN_FIELD_ORDER},
    [HRN_CLEANUP] = {HRN_FIELD_NEW_ID, HRN_FIELD_SIZE, HRN_FIELD_HANDLER},
    [HRN_MISUSE] = {HRN_FIELD_MISUSE, HRN_FIELD_VICTIM, HRN_FIELD_SIZE},
    [HRN_FAULT] = {HRN_FIELD_NTH, HRN_FIELD_REFUSALS},
    [HRN_GIVE_BACK] = {HRN_FIELD_ID},
    [HRN_REUSE_GET] = {HRN_FIELD_NEW_ID},
    [HRN_REUSE_PUT] = {HRN_FIELD_ID, HRN_FIELD_TWICE},
    [HRN_CHECK] = {HRN_FIELD_LOOK},
    [HRN_CREATE] = {HRN_FIELD_SIZE, HRN_FIELD_MAKE},
    [HRN_DESTROY] = {HRN_FIELD_END_OF},
    [HRN_FILE] = {HRN_FIELD_FILE, HRN_FIELD_SIZE},
    [HRN_RUN_FILE] = {HRN_FIELD_WHICH},
    [HRN_GROW] = {HRN_FIELD_SIZE},
    [HRN_SHRINK] = {HRN_FIELD_SIZE},
    [HRN_ADD_REGION] = {HRN_FIELD_SIZE},
    [HRN_CANCEL] = {HRN_FIELD_WHICH},
};

const enum hrn_field *hrn_trace_fields(enum hrn_kind kind)
{
    return fields[kind];
}

#define MISUSE_WORD(name, word) word,
static const char *const misuse_words[HRN_MISUSE_COUNT] = {HRN_MISUSE_LIST(MISUSE_WORD)};
static const char *const order_words[HRN_ORDER_COUNT] = {
    [HRN_ORDER_OLDEST] = "oldest",
    [HRN_ORDER_NEWEST] = "newest",
    [HRN_ORDER_EVERY_OTHER] = "every_other",
};
static const char *const handler_words[HRN_HANDLER_COUNT] = {
    [HRN_HANDLER_PLAIN] = "plain",         [HRN_HANDLER_ALLOCS] = "allocs",
    [HRN_HANDLER_REGISTERS] = "registers", [HRN_HANDLER_ARMED] = "armed",
    [HRN_HANDLER_CHILD] = "child",
};
static const char *const file_words[HRN_FILE_COUNT] = {
    [HRN_FILE_CLOSE] = "close",
    [HRN_FILE_DELETE] = "delete",
    [HRN_FILE_GONE] = "gone",
    [HRN_FILE_BAD] = "bad",
};
static const char *const twice_words[2] = {"once", "twice"};
static const char *const by_words[HRN_BY_COUNT] = {
    [HRN_BY_ANY] = "any",
    [HRN_BY_ALLOC] = "alloc",
    [HRN_BY_RESIZE] = "resize",
};
static const char *const where_words[HRN_FREE_COUNT] = {
    [HRN_FREE_HERE] = "here",
    [HRN_FREE_ELSEWHERE] = "elsewhere",
};
static const char *const way_words[HRN_WAY_COUNT] = {
    [HRN_WAY_ANY] = "any",
    [HRN_WAY_PLAIN] = "plain",
    [HRN_WAY_IN_PLACE] = "in_place",
    [HRN_WAY_ALIGNED] = "aligned",
};
static const char *const look_words[HRN_LOOK_COUNT] = {
    [HRN_LOOK_ALL] = "all",
    [HRN_LOOK_SELF] = "self",
    [HRN_LOOK_STATISTICS] = "statistics",
    [HRN_LOOK_WALK] = "walk",
};
static const char *const make_words[HRN_MAKE_COUNT] = {
    [HRN_MAKE_PLAIN] = "plain",
    [HRN_MAKE_SPARSE] = "sparse",
};
static const char *const end_words[HRN_END_COUNT] = {
    [HRN_END_EMPTY] = "empty",
    [HRN_END_LIVE] = "live",
};

bool hrn_trace_is_optional(enum hrn_field field)
{
    switch (field) {
    case HRN_FIELD_HANDLER:
    case HRN_FIELD_TWICE:
    case HRN_FIELD_BY:
    case HRN_FIELD_WHERE:
    case HRN_FIELD_WAY:
    case HRN_FIELD_LOOK:
    case HRN_FIELD_MAKE:
    case HRN_FIELD_END_OF:
        return true;
    default:
        return false;
    }
}

const char *const *hrn_trace_field_words(enum hrn_field field, size_t *n)
{
    switch (field) {
    case HRN_FIELD_ORDER:
        *n = HRN_ORDER_COUNT;
        return order_words;
    case HRN_FIELD_HANDLER:
        *n = HRN_HANDLER_COUNT;
        return handler_words;
    case HRN_FIELD_FILE:
        *n = HRN_FILE_COUNT;
        return file_words;
    case HRN_FIELD_TWICE:
        *n = 2;
        return twice_words;
    case HRN_FIELD_MISUSE:
        *n = HRN_MISUSE_COUNT;
        return misuse_words;
    case HRN_FIELD_BY:
        *n = HRN_BY_COUNT;
        return by_words;
    case HRN_FIELD_WHERE:
        *n = HRN_FREE_COUNT;
        return where_words;
    case HRN_FIELD_WAY:
        *n = HRN_WAY_COUNT;
        return way_words;
    case HRN_FIELD_LOOK:
        *n = HRN_LOOK_COUNT;
        return look_words;
    case HRN_FIELD_MAKE:
        *n = HRN_MAKE_COUNT;
        return make_words;
    case HRN_FIELD_END_OF:
        *n = HRN_END_COUNT;
        return end_words;
    default:
        *n = 0;
        return NULL;
    }
}

#define REGION_MIN (4u * 4096u)
#define AT(field)  #field, offsetof(struct hrn_head, field)

const struct hrn_head_field hrn_head_fields[HRN_HEAD_FIELDS] = {
    {AT(page_bytes), 4096, 65536, 2, "4096, 16384 or 65536"},
    {AT(per_doubling), 1, 16, 1, "1, 2, 4, 8 or 16"},
    {AT(min_object_bytes), 8, 64, 1, "8, 16, 32 or 64"},
    {AT(gap_bytes), 0, 64, 0, "a gap from 0 to 64"},
    {AT(region_bytes), REGION_MIN, HRN_TRACE_CREATE_MAX, 0, "a region of 16384 to 67108864 bytes"},
    {AT(block_bytes), 1, HRN_TRACE_CREATE_MAX, 0, "a block of 1 to 67108864 bytes"},
    {AT(flags), 0, HRN_HEAD_FLAGS, 0, "flags from 0 to 15"},
    {AT(check_every), 0, UINT32_MAX, 0, "a number below 2^32"},
    {AT(fault_nth), 0, UINT32_MAX, 0, "a number below 2^32"},
    {AT(fault_count), 0, UINT32_MAX, 0, "a number below 2^32"},
    {AT(content_seed), 0, UINT32_MAX, 0, "a number below 2^32"},
};

uint32_t *hrn_head_field_at(struct hrn_head *head, const struct hrn_head_field *field)
{
    return (uint32_t *)(void *)((char *)head + field->offset);
}
