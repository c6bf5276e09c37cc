/* SPDX-License-Identifier: Apache-2.0 */
/* slabmill adapters: lists the allocators and the operations they support. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/slabmill/slabmill.h"

const struct slm_adapter *mill_adapter_find(const char *name)
{
    const struct slm_adapter *adapter = hrn_adapter_find(name);
    const struct slm_adapter *broken;
    const char *sentence;
    for (size_t i = 0; adapter == NULL && (broken = mill_adapter_broken(i, &sentence)) != NULL;
         i++) {
        adapter = strcmp(broken->name, name) == 0 ? broken : NULL;
    }
    return adapter;
}

static void print_adapter(const struct slm_adapter *adapter)
{
    uint32_t can = hrn_can(adapter);
    printf("%s:", adapter->name);
    for (enum hrn_kind kind = 0; kind < HRN_KIND_COUNT; kind++) {
        if ((can >> kind & 1u) != 0) {
            printf(" %s", hrn_kind_word(kind));
        }
    }
    putchar('\n');
}

static int list_plugin(const char *path)
{
    const struct slm_adapter **list = mill_plugin_open(path);
    if (list == NULL) {
        return MILL_WRONG;
    }
    for (size_t i = 0; list[i] != NULL; i++) {
        print_adapter(list[i]);
    }
    free(list);
    return MILL_GOOD;
}

static int list_plugins(const struct mill_options *options)
{
    int worst = MILL_GOOD;
    for (size_t i = 0; i < options->n_files; i++) {
        int status = list_plugin(options->files[i]);
        worst = status > worst ? status : worst;
    }
    return worst;
}

int mill_adapters(const struct mill_options *options)
{
    char wrong[HRN_WRONG_TEXT_BYTES];
    if (options->n_files > 0) {
        return list_plugins(options);
    }
    if (!hrn_adapters_are_sound(wrong, sizeof wrong)) {
        return mill_complain("%s", wrong);
    }
    const struct slm_adapter *own;
    for (size_t i = 0; (own = hrn_adapter_at(i)) != NULL; i++) {
        print_adapter(own);
    }
    const struct slm_adapter *broken;
    const char *sentence;
    for (size_t i = 0; options->all && (broken = mill_adapter_broken(i, &sentence)) != NULL; i++) {
        printf("%s: %s\n", broken->name, sentence);
    }
    return MILL_GOOD;
}
