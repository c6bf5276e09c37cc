/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of adapters: this program's, and those of plugins. */
#include "harness/registry/registry.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness/base/array.h"

#define WRONG_TABLE_BYTES 256u

/* Weak, since a program may have no adapter of its own. */
extern const struct slm_adapter_entry *const __start_slm_adapters[]
    __attribute__((weak, visibility("hidden")));
extern const struct slm_adapter_entry *const __stop_slm_adapters[]
    __attribute__((weak, visibility("hidden")));

/* An adapter in this program's layout. It is never freed, since plugins stay loaded. */
struct loaded {
    struct loaded *older;
    struct slm_adapter adapter;
    struct slm_adapter_checks checks;
    struct slm_adapter_pool pool;
};

static struct loaded *newest;

/* --- One entry --- */

static void *new_zeroed(size_t bytes)
{
    size_t cap = 0;
    return memset(hrn_array_grow(NULL, &cap, bytes, 1), 0, bytes);
}

/* Copies what both layouts have; fields that the older one lacks stay 0. */
static void copy_fields(void *to, size_t to_bytes, const void *from, size_t from_bytes)
{
    memcpy(to, from, from_bytes < to_bytes ? from_bytes : to_bytes);
}

static bool is_of_this_version(const struct slm_adapter_entry *entry, char *text, size_t text_bytes)
{
    bool newer = entry->version > SLM_ADAPTER_VERSION ||
                 entry->adapter_bytes > sizeof(struct slm_adapter) ||
                 entry->checks_bytes > sizeof(struct slm_adapter_checks) ||
                 entry->pool_bytes > sizeof(struct slm_adapter_pool);
    if (entry->version == 0 || newer) {
        snprintf(text, text_bytes,
                 "adapter %s: made for version %u of adapter.h, and this mill knows 1 to %u",
                 entry->name, entry->version + (newer && entry->version == SLM_ADAPTER_VERSION),
                 SLM_ADAPTER_VERSION);
        return false;
    }
    return true;
}

static const struct slm_adapter *load(const struct slm_adapter_entry *entry, char *text,
                                      size_t text_bytes)
{
    if (!is_of_this_version(entry, text, text_bytes)) {
        return NULL;
    }
    const struct slm_adapter *given = entry->adapter;
    bool same = entry->adapter_bytes == sizeof *given && given->name != NULL &&
                entry->checks_bytes == sizeof *given->checks &&
                entry->pool_bytes == sizeof *given->pool;
    if (same) {
        return given;
    }
    struct loaded *loaded = new_zeroed(sizeof *loaded);
    loaded->older = newest;
    newest = loaded;
    struct slm_adapter *adapter = &loaded->adapter;
    copy_fields(adapter, sizeof *adapter, given, entry->adapter_bytes);
    if (adapter->checks != NULL) {
        copy_fields(&loaded->checks, sizeof loaded->checks, adapter->checks, entry->checks_bytes);
        adapter->checks = &loaded->checks;
    }
    if (adapter->pool != NULL) {
        copy_fields(&loaded->pool, sizeof loaded->pool, adapter->pool, entry->pool_bytes);
        adapter->pool = &loaded->pool;
    }
    adapter->name = adapter->name == NULL ? entry->name : adapter->name;
    return adapter;
}

/* --- Lists --- */

static int by_name(const void *a, const void *b)
{
    const struct slm_adapter *const *x = a;
    const struct slm_adapter *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static bool has_doubled_name(const struct slm_adapter *const *list, size_t n, char *text,
                             size_t text_bytes)
{
    for (size_t i = 1; i < n; i++) {
        if (strcmp(list[i - 1]->name, list[i]->name) == 0) {
            snprintf(text, text_bytes, "adapter %s: two adapters have this name", list[i]->name);
            return true;
        }
    }
    return false;
}

const struct slm_adapter **hrn_adapters_of_list(const struct slm_adapter_entry *const *at,
                                                const struct slm_adapter_entry *const *end,
                                                char *text, size_t text_bytes)
{
    size_t n = (size_t)(end - at);
    const struct slm_adapter **list = new_zeroed((n + 1) * sizeof *list);
    for (size_t i = 0; i < n; i++) {
        list[i] = load(at[i], text, text_bytes);
        if (list[i] == NULL || !hrn_adapter_is_sound(list[i], text, text_bytes)) {
            free(list);
            return NULL;
        }
    }
    qsort(list, n, sizeof(const struct slm_adapter *), by_name);
    if (has_doubled_name(list, n, text, text_bytes)) {
        free(list);
        return NULL;
    }
    return list;
}

/* --- This program's --- */

static const struct slm_adapter *const *own_adapters(char *text, size_t text_bytes)
{
    static const struct slm_adapter **own;
    if (own == NULL) {
        own = hrn_adapters_of_list(__start_slm_adapters, __stop_slm_adapters, text, text_bytes);
    }
    return own;
}

bool hrn_adapters_are_sound(char *text, size_t text_bytes)
{
    return own_adapters(text, text_bytes) != NULL;
}

const struct slm_adapter *hrn_adapter_at(size_t idx)
{
    char text[HRN_WRONG_TEXT_BYTES];
    const struct slm_adapter *const *own = own_adapters(text, sizeof text);
    size_t n = 0;
    while (own != NULL && n < idx && own[n] != NULL) {
        n++;
    }
    return own == NULL ? NULL : own[n];
}

const struct slm_adapter *hrn_adapter_find(const char *name)
{
    const struct slm_adapter *adapter;
    for (size_t i = 0; (adapter = hrn_adapter_at(i)) != NULL; i++) {
        if (strcmp(adapter->name, name) == 0) {
            return adapter;
        }
    }
    return NULL;
}

/* --- Plugins --- */

const struct slm_adapter **hrn_plugin_open(const char *path, char *text, size_t text_bytes)
{
    typedef const struct slm_adapter_entry *const *(*range_fn)(
        const struct slm_adapter_entry *const **end);
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        snprintf(text, text_bytes, "%s", dlerror());
        return NULL;
    }
    union {
        void *object;
        range_fn range;
    } symbol = {dlsym(handle, "slm_adapter_range")};
    if (symbol.object == NULL) {
        (void)dlclose(handle);
        snprintf(text, text_bytes, "%s: no adapter in it (SLM_ADAPTER in slabmill/adapter.h)",
                 path);
        return NULL;
    }
    const struct slm_adapter_entry *const *end;
    const struct slm_adapter_entry *const *start = symbol.range(&end);
    char wrong[WRONG_TABLE_BYTES];
    const struct slm_adapter **list = hrn_adapters_of_list(start, end, wrong, sizeof wrong);
    if (list == NULL) {
        snprintf(text, text_bytes, "%s: %s", path, wrong);
    }
    return list;
}
