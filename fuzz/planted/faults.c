/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/planted/faults.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz/common/fuzz.h"
#include "harness/failure/say.h"

#define RECORD 2u

/* Volatile, so that no planted fault is optimised away. */
static volatile unsigned char sink;

/* One branch for each letter, so that each is a separate edge. */
static unsigned next_letter(unsigned n_right, uint8_t letter)
{
    if (n_right == 0 && letter == 'B') {
        return 1;
    }
    if (n_right == 1 && letter == 'U') {
        return 2;
    }
    if (n_right == 2 && letter == 'G') {
        return 3;
    }
    return 0;
}

static bool says_the_word(const uint8_t *bytes, size_t n_bytes)
{
    unsigned n_right = 0;
    hrn_fuzz_count(n_bytes / RECORD);
    for (size_t i = 0; i + RECORD <= n_bytes && n_right < 3; i += RECORD) {
        HRN_SAY_OP("read '%02x %02x'", bytes[i], bytes[i + 1]);
        n_right = next_letter(n_right, bytes[i]);
    }
    return n_right == 3;
}

int hrn_planted_overrun(const uint8_t *bytes, size_t n_bytes)
{
    if (says_the_word(bytes, n_bytes)) {
        volatile unsigned char *block = malloc(4);
        block[4] = 1;
        free((void *)block);
    }
    return 0;
}

int hrn_planted_hang(const uint8_t *bytes, size_t n_bytes)
{
    while (says_the_word(bytes, n_bytes)) {
    }
    return 0;
}

int hrn_planted_memory(const uint8_t *bytes, size_t n_bytes)
{
    while (says_the_word(bytes, n_bytes)) {
        unsigned char *block = malloc(1u << 20);
        for (size_t i = 0; block != NULL && i < 1u << 20; i += 4096) {
            ((volatile unsigned char *)block)[i] = 1;
        }
        sink = block == NULL; /* and is lost */
    }
    return 0;
}

int hrn_planted_uninitialised(const uint8_t *bytes, size_t n_bytes)
{
    if (says_the_word(bytes, n_bytes)) {
        volatile unsigned char *block = malloc(4);
        if (block[2] > 7) {
            sink = 1;
        }
        free((void *)block);
    }
    return 0;
}

static unsigned raced;

static void *race(void *unused)
{
    (void)unused;
    raced++;
    return NULL;
}

int hrn_planted_race(const uint8_t *bytes, size_t n_bytes)
{
    if (says_the_word(bytes, n_bytes)) {
        pthread_t threads[2];
        for (int i = 0; i < 2; i++) {
            if (pthread_create(&threads[i], NULL, race, NULL) != 0) {
                abort();
            }
        }
        for (int i = 0; i < 2; i++) {
            pthread_join(threads[i], NULL);
        }
    }
    return 0;
}

void hrn_planted_start(void)
{
    _exit(3);
}
