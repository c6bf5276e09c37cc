/* SPDX-License-Identifier: Apache-2.0 */
/* Adapters named on the command line: of this program, broken on purpose, or in a shared object. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/slabmill/slabmill.h"

#define PATH_BUF_BYTES 4096u

/* --- Plugins --- */

static bool is_shared_object(const char *path)
{
    char magic[4] = "";
    struct stat status;
    /* What is read from a pipe is gone. */
    bool regular = stat(path, &status) == 0 && S_ISREG(status.st_mode);
    FILE *file = regular ? fopen(path, "rb") : NULL;
    if (file == NULL) {
        return false;
    }
    size_t n = fread(magic, 1, sizeof magic, file);
    (void)fclose(file);
    return n == sizeof magic && memcmp(magic, "\177ELF", sizeof magic) == 0;
}

/* The path with a slash in it: dlopen looks for a name without one in the system's folders. */
static const char *with_slash(const char *path)
{
    static char text[PATH_BUF_BYTES];
    if (strchr(path, '/') != NULL) {
        return path;
    }
    snprintf(text, sizeof text, "./%s", path);
    return text;
}

/* True, with a message: there is no such file, but an adapter of this name. */
static bool is_only_name(const char *file)
{
    if (access(file, F_OK) == 0 || mill_adapter_find(file) == NULL) {
        return false;
    }
    (void)mill_complain("%s: no such file; for the adapter of this name use --adapter %s", file,
                        file);
    return true;
}

bool mill_plugin_take(struct mill_options *options, bool takes_files)
{
    size_t n_kept = 0;
    const char *plugin = NULL;
    for (size_t i = 0; i < options->n_files; i++) {
        bool is_plugin = !takes_files || is_shared_object(options->files[i]);
        if (is_plugin && (plugin != NULL || options->adapter != NULL)) {
            (void)mill_complain("%s: one adapter at a time; another is named by %s",
                                options->files[i], plugin != NULL ? plugin : "--adapter");
            return false;
        }
        if (is_plugin && is_only_name(options->files[i])) {
            return false;
        }
        if (is_plugin) {
            plugin = with_slash(options->files[i]);
        } else {
            options->files[n_kept++] = options->files[i];
        }
    }
    options->n_files = n_kept;
    options->adapter = plugin != NULL ? plugin : options->adapter;
    options->has_plugin = plugin != NULL;
    return true;
}

/* Splits PATH:NAME at the last colon after the last slash. The name, or NULL: there is none. */
static const char *split(const char *text, char *path, size_t path_bytes)
{
    const char *colon = strrchr(text, ':');
    bool has_name = colon != NULL && colon > strrchr(text, '/');
    size_t n = has_name ? (size_t)(colon - text) : strlen(text);
    snprintf(path, path_bytes, "%.*s", (int)n, text);
    return has_name ? colon + 1 : NULL;
}

static const struct slm_adapter *only_one(const struct slm_adapter *const *list, const char *path)
{
    if (list[1] == NULL) {
        return list[0];
    }
    (void)mill_complain("%s: has several adapters: use --adapter %s:NAME, as in %s:%s", path, path,
                        path, list[0]->name);
    return NULL;
}

const struct slm_adapter **mill_plugin_open(const char *path)
{
    char wrong[HRN_WRONG_TEXT_BYTES];
    struct stat status;
    if (stat(path, &status) == 0 && !is_shared_object(path)) {
        (void)mill_complain("%s: %s", path,
                            access(path, R_OK) != 0 ? strerror(errno) : "not a shared object");
        return NULL;
    }
    const struct slm_adapter **list = hrn_plugin_open(with_slash(path), wrong, sizeof wrong);
    if (list == NULL) {
        (void)mill_complain("%s", wrong);
    }
    return list;
}

static const struct slm_adapter *find_in_plugin(const char *text)
{
    char path[PATH_BUF_BYTES];
    const char *name = split(text, path, sizeof path);
    const struct slm_adapter **list = mill_plugin_open(path);
    if (list == NULL) {
        return NULL;
    }
    const struct slm_adapter *found = NULL;
    if (name == NULL) {
        found = only_one(list, path);
    } else {
        size_t i = 0;
        while (list[i] != NULL && strcmp(list[i]->name, name) != 0) {
            i++;
        }
        found = list[i];
        if (found == NULL) {
            (void)mill_complain("%s: no adapter is named %s in it", path, name);
        }
    }
    free(list);
    return found;
}

bool mill_adapter_is_plugin(const char *name)
{
    return strchr(name, '/') != NULL;
}

const struct slm_adapter *mill_adapter_need(const char *name)
{
    char wrong[HRN_WRONG_TEXT_BYTES];
    if (mill_adapter_is_plugin(name)) {
        return find_in_plugin(name);
    }
    if (!hrn_adapters_are_sound(wrong, sizeof wrong)) {
        (void)mill_complain("%s", wrong);
        return NULL;
    }
    const struct slm_adapter *adapter = mill_adapter_find(name);
    if (adapter == NULL && is_shared_object(name)) {
        (void)mill_complain("no adapter is named %s: for the file of this name use ./%s", name,
                            name);
    } else if (adapter == NULL) {
        (void)mill_complain("no adapter is named %s (see slabmill adapters)", name);
    }
    return adapter;
}
