/* SPDX-License-Identifier: Apache-2.0 */
/* A program that uses an installed library: one function per public header. C and C++. */
#ifndef SLM_TESTS_INSTALL_SMOKE_H
#define SLM_TESTS_INSTALL_SMOKE_H

#ifdef SMOKE_AMALGAMATED
#include "slabmill.h"
#else
#include <slabmill/adapter.h>
#include <slabmill/error.h>
#include <slabmill/event.h>
#include <slabmill/journal.h>
#include <slabmill/lease.h>
#include <slabmill/lock.h>
#include <slabmill/lru.h>
#include <slabmill/object.h>
#include <slabmill/pool.h>
#include <slabmill/rbtree.h>
#include <slabmill/segment.h>
#include <slabmill/slab.h>
#include <slabmill/source.h>
#include <slabmill/status.h>
#include <slabmill/table.h>
#include <slabmill/version.h>
#include <slabmill/word.h>
#include <slabmill/zone.h>
#include <slabmill/zone_copy.h>
#include <slabmill/zone_image.h>
#include <slabmill/zone_set.h>
#endif

#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
#define SMOKE_TO(type, p) static_cast<type>(p)
#else
#define SMOKE_TO(type, p) ((type)(p))
#endif

/* Ends the program and prints the place unless the condition holds. */
#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

void smoke_lease(void);
void smoke_table(void);
void smoke_zone(void);
void smoke_zone_copy(void);
void smoke_zone_image(void);
void smoke_zone_set(void);

#endif
