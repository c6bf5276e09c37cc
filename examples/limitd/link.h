/* SPDX-License-Identifier: Apache-2.0 */
/* A client's connection to limitd. */
#ifndef SLM_EXAMPLES_LIMITD_LINK_H
#define SLM_EXAMPLES_LIMITD_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Model    Sends a line and waits for its answer. After a connection ended, for example because its
 *          worker was killed, the next question connects again; the caller cannot know whether the
 *          last question was carried out. An answer that takes longer than LIMITD_LINK_SECONDS is a
 *          hang.
 */
#define LIMITD_LINK_BYTES   20000u
#define LIMITD_LINK_SECONDS 20

struct limitd_link {
    const char *path;
    int fd;          /* -1: none */
    uint64_t n_made; /* connections so far */
    uint64_t n_hung;
    size_t n_in;
    char in[LIMITD_LINK_BYTES];
};

/* Not connected yet. path stays the caller's. */
void limitd_link_init(struct limitd_link *link, const char *path);
void limitd_link_fini(struct limitd_link *link);

/* Sends bytes as they are. False: the connection is gone, or could not be made. */
bool limitd_link_send(struct limitd_link *link, const char *bytes, size_t n_bytes);
/* The next line without its end, valid until the next call; NULL: the connection is gone. */
const char *limitd_link_line(struct limitd_link *link);
/* Sends the line with its line end, and returns the answer. */
const char *limitd_link_ask(struct limitd_link *link, const char *line);

#ifdef __cplusplus
}
#endif
#endif
