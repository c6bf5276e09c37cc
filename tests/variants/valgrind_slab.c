/* SPDX-License-Identifier: Apache-2.0 */
/* What Valgrind must see of a slab, one misuse per run; valgrind_slab_test.sh compares. */
#include <string.h>

#include <slabmill/slab.h>

static _Alignas(4096) unsigned char region[400 * 1024];
static volatile int n_seen;

/* A use that the compiler cannot drop and that Valgrind judges: a jump on the value. */
static int use(const volatile unsigned char *p)
{
    if (*p == 0x5A) {
        n_seen = n_seen + 1;
    }
    return 1;
}

static struct slm_slab *attach(bool exclusive)
{
    struct slm_slab *slab = NULL;
    struct slm_slab_view view = {.exclusive = exclusive};
    (void)slm_slab_attach(&slab, region, sizeof region, &view);
    return slab;
}

/* Every operation, used as it should be. */
static int live_well(struct slm_slab *slab)
{
    int n = 0;
    for (size_t i = 1; i < 700; i++) {
        unsigned char *p = slm_slab_alloc(slab, i % 300 + 1);
        unsigned char *z = slm_slab_calloc(slab, i % 5000 + 1);
        unsigned char *a = slm_slab_memalign(slab, 256, i % 40 + 1);
        memset(p, 1, i % 300 + 1);
        a[0] = 0x5A;
        size_t usable_bytes = slm_slab_usable_bytes(slab, p);
        p[usable_bytes - 1] = 0x5A;
        n += use(p) + use(p + usable_bytes - 1) + use(z + i % 5000) + use(a);
        n += slm_slab_free(slab, p) == SLM_OK;
        n += slm_slab_free(slab, p) != SLM_OK;
        n += slm_slab_free(slab, z) == SLM_OK;
        n += slm_slab_free(slab, a) == SLM_OK;
        if (i % 200 == 0) {
            n += slm_slab_calloc(slab, 10) != NULL;
            slm_slab_reset(slab);
        }
    }
    return n + (slm_slab_check(slab) == 0);
}

/* Objects that another view made are this one's, too: to read, to widen, to free. */
static int use_what_was_there(struct slm_slab *slab)
{
    struct slm_slab *shared = attach(false);
    unsigned char *chunk = slm_slab_calloc(shared, 100);
    unsigned char *run = slm_slab_calloc(shared, 30000);
    slm_slab_detach(shared);
    (void)slab;
    struct slm_slab *exclusive = attach(true);
    int n = use(chunk + 99) + use(run + 29999);
    n += slm_slab_usable_bytes(exclusive, chunk) >= 100;
    n += slm_slab_free(exclusive, chunk) == SLM_OK;
    n += slm_slab_free(exclusive, run) == SLM_OK;
    slm_slab_detach(exclusive);
    return n;
}

static int use_after_free(struct slm_slab *slab)
{
    unsigned char *p = slm_slab_calloc(slab, 100);
    (void)slm_slab_free(slab, p);
    return use(p + 5);
}

static int use_after_reset(struct slm_slab *slab)
{
    unsigned char *p = slm_slab_calloc(slab, 20000);
    slm_slab_reset(slab);
    return use(p + 5000);
}

static int read_past_object(struct slm_slab *slab)
{
    unsigned char *p = slm_slab_calloc(slab, 13);
    (void)slm_slab_calloc(slab, 13);
    return use(p + 13);
}

static int read_free_page(struct slm_slab *slab)
{
    unsigned char *p = slm_slab_calloc(slab, 13);
    return use(p + 100 * 1024);
}

static int use_undefined(struct slm_slab *slab)
{
    unsigned char *p = slm_slab_calloc(slab, 100);
    (void)slm_slab_free(slab, p);
    return use(slm_slab_alloc(slab, 100));
}

static const struct {
    const char *name;
    int (*run)(struct slm_slab *slab);
    bool exclusive;
} deeds[] = {
    {"live_well", live_well, true},
    {"use_what_was_there", use_what_was_there, false},
    {"use_after_free", use_after_free, true},
    {"use_after_reset", use_after_reset, true},
    {"read_past_object", read_past_object, true},
    {"read_free_page", read_free_page, true},
    {"use_undefined", use_undefined, true},
};

int main(int argc, char **argv)
{
    if (argc != 2 || slm_slab_init(region, sizeof region, NULL) != SLM_OK) {
        return 2;
    }
    int result = -1;
    for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; i++) {
        if (strcmp(deeds[i].name, argv[1]) == 0) {
            struct slm_slab *slab = attach(deeds[i].exclusive);
            result = deeds[i].run(slab);
            slm_slab_detach(slab);
        }
    }
    return result < 0 ? 2 : 0;
}
