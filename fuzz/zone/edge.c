/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of zone_edge_fuzz: decoding and running them. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* F_OFD_SETLK */
#endif
#include "fuzz/zone/edge.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "allocator/lock/system.h"
#include "fuzz/common/fuzz.h"
#include "fuzz/zone/edge_world.h"
#include "fuzz/zone/op.h"
#include "harness/failure/say.h"
#include "harness/sched/system.h"

enum { N_OPS_MAX = 40, RECORD_BYTES = 8 };

const struct hrn_edge_counts *hrn_edge_totals(void)
{
    return &hrn_edge_counted;
}

const char *hrn_edge_op_name(enum hrn_edge_op op)
{
#define OP_NAME(name) #name,
    static const char *const names[HRN_EDGE_COUNT] = {HRN_EDGE_LIST(OP_NAME)};
#undef OP_NAME
    return op < HRN_EDGE_COUNT ? names[op] : "?";
}

bool hrn_edge_kind(unsigned idx, struct hrn_fuzz_kind *kind)
{
    if (idx < HRN_EDGE_COUNT) {
        *kind = (struct hrn_fuzz_kind){hrn_edge_op_name(idx), hrn_edge_counted.n_kind[idx]};
    }
    return idx < HRN_EDGE_COUNT;
}

/* The simulated system has one lock file, and these programs two. */
static int set_file_lock(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_SETLK, &lock) == 0 ? 0 : errno;
}

static void begin_program(unsigned lock)
{
    memset(&hrn_edge_world, 0, sizeof hrn_edge_world);
    hrn_edge_clean_folder();
    hrn_edge_reset_config(lock);
    hrn_zone_forget_deaths();
    hrn_system_play(NULL);
    slm_lock_system.set_file_lock = set_file_lock;
}

static void run(const struct edge_op *op)
{
    static void (*const verbs[HRN_EDGE_COUNT])(const struct edge_op *op) = {
        [HRN_EDGE_CONFIGURE] = hrn_edge_configure,
        [HRN_EDGE_APPLY] = hrn_edge_apply,
        [HRN_EDGE_SHARE] = hrn_edge_share,
        [HRN_EDGE_SERVER_DIES] = hrn_edge_server_dies,
        [HRN_EDGE_OPEN] = hrn_edge_open,
        [HRN_EDGE_ATTACH] = hrn_edge_attach,
        [HRN_EDGE_IMPORT] = hrn_edge_import,
        [HRN_EDGE_ADOPT] = hrn_edge_adopt,
        [HRN_EDGE_DETACH] = hrn_edge_detach,
        [HRN_EDGE_HOLD] = hrn_edge_hold,
        [HRN_EDGE_CHANGE] = hrn_edge_change,
        [HRN_EDGE_RELEASE] = hrn_edge_release,
        [HRN_EDGE_DIE] = hrn_edge_die,
        [HRN_EDGE_GROW] = hrn_edge_grow,
        [HRN_EDGE_VERIFY] = hrn_edge_verify_name,
        [HRN_EDGE_REMOVE] = hrn_edge_remove,
        [HRN_EDGE_RENAME] = hrn_edge_rename,
        [HRN_EDGE_COPY] = hrn_edge_copy,
        [HRN_EDGE_LIST] = hrn_edge_list,
        [HRN_EDGE_IMAGE] = hrn_edge_image,
        [HRN_EDGE_SYNC] = hrn_edge_sync,
        [HRN_EDGE_TAKE] = hrn_edge_take,
        [HRN_EDGE_TRIM] = hrn_edge_trim,
    };
    hrn_edge_counted.n_kind[op->kind]++;
    HRN_SAY_OP("%s who %u what %u extra %u value %" PRIu32, hrn_edge_op_name(op->kind), op->who,
               op->what, op->extra, op->value);
    verbs[op->kind](op);
}

/* Every zone that a process still has is as the model says. */
static void end_program(void)
{
    struct edge_world *world = &hrn_edge_world;
    for (unsigned i = 0; i < EDGE_N_VIEWS; i++) {
        struct edge_op op = {.kind = HRN_EDGE_RELEASE, .who = i};
        hrn_edge_release(&op);
    }
    for (unsigned i = 0; i < EDGE_N_VIEWS; i++) {
        if (world->views[i].zone != NULL) {
            hrn_system_be(hrn_edge_actor_of(i));
            hrn_edge_verify(&world->views[i]);
            slm_zone_detach(world->views[i].zone);
            world->views[i].zone = NULL;
        }
    }
    for (unsigned i = 0; i < EDGE_N_SERVERS; i++) {
        hrn_system_be(i);
        for (unsigned k = 0; k < world->servers[i].n; k++) {
            hrn_edge_verify(&world->servers[i].zones[k]);
        }
        slm_zone_set_destroy(world->servers[i].set);
        world->servers[i].n = 0;
    }
    struct edge_op last = {.kind = HRN_EDGE_LIST};
    hrn_edge_list(&last);
}

static struct edge_op decode(const uint8_t *record)
{
    uint32_t value;
    memcpy(&value, record + 4, sizeof value);
    return (struct edge_op){
        .kind = (enum hrn_edge_op)(record[0] % HRN_EDGE_COUNT),
        .who = record[1],
        .what = record[2],
        .extra = record[3],
        .value = value,
    };
}

int hrn_fuzz_zone_edge(const uint8_t *bytes, size_t n_bytes)
{
    uint64_t n_ops = 0;
    begin_program(n_bytes == 0 ? 0 : bytes[0] % EDGE_N_LOCKS);
    for (size_t at = 1; at + RECORD_BYTES <= n_bytes && n_ops < N_OPS_MAX; at += RECORD_BYTES) {
        struct edge_op op = decode(bytes + at);
        run(&op);
        n_ops++;
    }
    end_program();
    hrn_fuzz_count(n_ops + 1);
    return 0;
}
