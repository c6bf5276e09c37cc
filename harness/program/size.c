/* SPDX-License-Identifier: Apache-2.0 */
/* Size codes: 32 bits of a record that encode any size worth testing. Alignment codes: 8 bits. */
#include "harness/program/program.h"

/*
 * Bits 31-30 are the mode.
 * 0 raw: bits 29-0 are the size.
 * 1 edge: bits 7-0 choose an edge, bits 10-8 move it by -2 to 2, bit 11 takes the head's gap off
 * it, so
 *   that object and gap together meet the edge; bits 27-16 take off that many times 8 bytes.
 * 2 log: bits 4-0 choose a power of two, bits 29-5 fill in below it.
 * 3 huge: bits 2-0 choose a limit of arithmetic, bits 18-3 move it by -32768 to 32767.
 */
enum { MODE_RAW, MODE_EDGE, MODE_LOG, MODE_HUGE };
#define MODE_SHIFT 30u
#define RAW_MAX    ((UINT32_C(1) << MODE_SHIFT) - 1)
#define LOG_COUNT  21u
#define HUGE_MID   0x8000u

/* Powers of two, class edges of the finer geometries, the small limit of pools, and page
 * multiples. */
static const uint32_t fixed_edges[] = {
    1,    8,     16,    32,    64,     128,    256,     512,   1024,  2048,  4096,
    8192, 16384, 32768, 65536, 131072, 262144, 1048576, 24,    40,    48,    56,
    72,   80,    88,    96,    112,    120,    144,     160,   192,   224,   320,
    384,  448,   640,   768,   896,    1280,   1536,    1792,  1900,  2100,  2560,
    3072, 3584,  4032,  4080,  12288,  20480,  28672,   24576, 40960, 49152, 0,
};
#define N_FIXED (sizeof fixed_edges / sizeof fixed_edges[0])

/* Edges that depend on the head. */
enum { EDGE_PAGE, EDGE_PAGE_HALF, EDGE_PAGE_TWO, EDGE_PAGE_EIGHT, EDGE_REGION, EDGE_BLOCK, N_OWN };

static size_t own_edge(const struct hrn_head *head, uint32_t which)
{
    switch (which) {
    case EDGE_PAGE:
        return head->page_bytes;
    case EDGE_PAGE_HALF:
        return head->page_bytes / 2;
    case EDGE_PAGE_TWO:
        return (size_t)head->page_bytes * 2;
    case EDGE_PAGE_EIGHT:
        return (size_t)head->page_bytes * 8;
    case EDGE_REGION:
        return head->region_bytes;
    default:
        return head->block_bytes;
    }
}

static size_t edge_decode(const struct hrn_head *head, uint32_t code)
{
    uint32_t which = (code & 0xffu) % (uint32_t)(N_FIXED + N_OWN);
    size_t size = which < N_FIXED ? fixed_edges[which] : own_edge(head, which - (uint32_t)N_FIXED);
    size_t down = (size_t)(code >> 16 & 0xfffu) * 8;
    down += (code >> 11 & 1u) != 0 ? head->gap_bytes : 0;
    size = size > down ? size - down : size;
    size_t moved = size + (code >> 8 & 7u) % 5u;
    return moved < 2 ? 0 : moved - 2;
}

static size_t limit(uint32_t which)
{
    switch (which) {
    case 0:
        return SIZE_MAX;
    case 1:
        return SIZE_MAX / 2 + 1;
    case 2:
        return SIZE_MAX / 4 + 1;
    case 3:
        return (size_t)(UINT64_C(1) << 47); /* user addresses end there on many machines */
    case 4:
        return (size_t)(UINT64_C(1) << 32);
    case 5:
        return (size_t)1 << 31;
    case 6:
        return (size_t)1 << 30;
    default:
        return SIZE_MAX - 65536;
    }
}

static size_t huge_decode(uint32_t code)
{
    return limit(code & 7u) + (code >> 3 & 0xffffu) - HUGE_MID;
}

size_t hrn_size_decode(const struct hrn_head *head, uint32_t code)
{
    switch (code >> MODE_SHIFT) {
    case MODE_RAW:
        return code;
    case MODE_EDGE:
        return edge_decode(head, code);
    case MODE_LOG: {
        uint32_t top = UINT32_C(1) << (code & 31u) % LOG_COUNT;
        return top | (code >> 5 & (top - 1));
    }
    default:
        return huge_decode(code);
    }
}

bool hrn_size_encode(size_t size_bytes, uint32_t *code)
{
    if (size_bytes <= RAW_MAX) {
        *code = (uint32_t)size_bytes;
        return true;
    }
    for (uint32_t which = 0; which < 8; which++) {
        size_t move = size_bytes - limit(which) + HUGE_MID;
        if (move <= 0xffffu) {
            *code = (uint32_t)MODE_HUGE << MODE_SHIFT | (uint32_t)move << 3 | which;
            return true;
        }
    }
    *code = RAW_MAX;
    return false;
}

uint32_t hrn_size_code_edge(uint32_t random)
{
    uint32_t down = random >> 28 == 0 ? random & 0x000f0000u : 0; /* mostly the edge itself */
    return (uint32_t)MODE_EDGE << MODE_SHIFT | down | (random & 0xfffu);
}

uint32_t hrn_size_code_log(uint32_t random)
{
    return (uint32_t)MODE_LOG << MODE_SHIFT | (random & RAW_MAX);
}

uint32_t hrn_size_code_huge(uint32_t random)
{
    uint32_t move = HUGE_MID - 128u + (random >> 3 & 0xffu);
    return (uint32_t)MODE_HUGE << MODE_SHIFT | move << 3 | (random & 7u);
}

/* --- Alignments --- */

#define POWERS 64u

/* 0 to 63 a power of two, the next 64 one less, the next 64 one more. */
size_t hrn_align_decode(uint32_t code, uint32_t other)
{
    size_t power = (size_t)1 << code % POWERS;
    switch (code / POWERS) {
    case 0:
        return power;
    case 1:
        return power - 1;
    case 2:
        return power + 1;
    default:
        return other;
    }
}

bool hrn_align_encode(size_t align_bytes, uint8_t *code, uint32_t *other)
{
    *other = 0;
    for (unsigned i = 0; i < 3 * POWERS; i++) {
        if (hrn_align_decode(i, 0) == align_bytes) {
            *code = (uint8_t)i;
            return true;
        }
    }
    *code = 3 * POWERS;
    *other = align_bytes <= 0xffffu ? (uint32_t)align_bytes : 0xffffu;
    return *other == align_bytes;
}
