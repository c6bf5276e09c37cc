/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/planted/choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/broken/broken.h"
#include "harness/registry/registry.h"
#include "harness/zoo/zoo.h"

static const struct slm_adapter *of_zoo(const char *name)
{
    struct hrn_zoo_bug bug;
    for (size_t i = 0; hrn_zoo_at(i, &bug); i++) {
        if (strcmp(bug.adapter->name, name) == 0) {
            return bug.adapter;
        }
    }
    return NULL;
}

static const struct slm_adapter *of_broken(const char *name)
{
    const char *sentence;
    const struct slm_adapter *adapter;
    for (size_t i = 0; (adapter = hrn_broken_at(i, &sentence)) != NULL; i++) {
        if (strcmp(adapter->name, name) == 0) {
            return adapter;
        }
    }
    return NULL;
}

/* Pools are left out, since a harness for slabs does not fuzz them. */
static void print_list(void)
{
    struct hrn_zoo_bug bug;
    const char *sentence;
    const struct slm_adapter *adapter;
    for (size_t i = 0; hrn_zoo_at(i, &bug); i++) {
        printf("%s\t%s\t%s\n", bug.adapter->name, hrn_zoo_class_name(bug.kind), bug.sentence);
    }
    for (size_t i = 0; (adapter = hrn_broken_at(i, &sentence)) != NULL; i++) {
        if (adapter->memory == SLM_ADAPTER_REGION && adapter->pool == NULL) {
            printf("%s\tour slab\t%s\n", adapter->name, sentence);
        }
    }
}

/* The adapter as an author who promises nothing writes it. */
static const struct slm_adapter *without_promises(const struct slm_adapter *adapter)
{
    static struct slm_adapter silent;
    silent = *adapter;
    silent.empty_serves = false;
    silent.freed_serves = false;
    silent.monotone = false;
    silent.gap_serves = false;
    silent.exact = false;
    silent.footprint_bytes = NULL;
    silent.n_fit = NULL;
    silent.growth_bytes = NULL;
    silent.shrunk_fit = false;
    return &silent;
}

const struct slm_adapter *hrn_planted_choice(void)
{
    const char *name = getenv("HRN_PLANTED");
    name = name == NULL ? "slab" : name;
    if (strcmp(name, "list") == 0) {
        print_list();
        exit(0);
    }
    const struct slm_adapter *adapter = of_zoo(name);
    adapter = adapter == NULL ? of_broken(name) : adapter;
    adapter = adapter == NULL ? hrn_adapter_find(name) : adapter;
    if (adapter == NULL) {
        fprintf(stderr, "HRN_PLANTED: no planted bug and no adapter is called %s\n", name);
        exit(2);
    }
    return getenv("HRN_PLANTED_SILENT") != NULL ? without_promises(adapter) : adapter;
}
