/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a zone, only for reading. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tools/slabmill/inspect/inspect.h"

#define POSIX_FOLDER "/dev/shm/"

static enum slm_status fail(struct slm_error *error, const char *label, const char *what)
{
    int failed = errno;
    return slm_error_set(error, slm_error_of_errno(failed), failed, "%s: %s: %s", label, what,
                         strerror(failed));
}

/* Checks the file's type first: opening a device can have effects, and opening a FIFO can wait. */
static enum slm_status open_path(struct mill_source *source, const char *path,
                                 struct slm_error *error)
{
    struct stat about;
    if (stat(path, &about) != 0) {
        return fail(error, source->label, "cannot be inspected");
    }
    if (!S_ISREG(about.st_mode)) {
        return slm_error_set(error, SLM_E_ACCESS, 0, "%s: expected a zone's file, found a %s",
                             source->label, S_ISDIR(about.st_mode) ? "folder" : "device or FIFO");
    }
    source->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    return source->fd >= 0 ? SLM_OK : fail(error, source->label, "cannot open");
}

static enum slm_status open_name(struct mill_source *source, const char *path,
                                 struct slm_error *error)
{
    int n = snprintf(source->path, sizeof source->path, "%s", path);
    if (n < 0 || (size_t)n >= sizeof source->path) {
        return slm_error_set(error, SLM_E_NAME, 0, "%.100s...: a path that is too long",
                             source->label);
    }
    return open_path(source, path, error);
}

const char *mill_posix_name(const char *text)
{
    size_t n_folder = strlen(POSIX_FOLDER);
    text += strncmp(text, POSIX_FOLDER, n_folder) == 0 ? n_folder : 0;
    text += *text == '/';
    return *text == '\0' || strchr(text, '/') != NULL ? NULL : text;
}

static enum slm_status open_posix(struct mill_source *source, const char *text,
                                  struct slm_error *error)
{
    char path[PATH_MAX];
    const char *name = mill_posix_name(text);
    int n = name == NULL ? -1 : snprintf(path, sizeof path, "%s%s", POSIX_FOLDER, name);
    if (n < 0 || (size_t)n >= sizeof path) {
        return slm_error_set(error, SLM_E_NAME, 0,
                             "%s: expected posix:NAME, a name without a slash", source->label);
    }
    return open_name(source, path, error);
}

/* Decimal digits and nothing else. */
static bool parse_id(const char *digits, size_t n, long *id)
{
    char *end;
    errno = 0;
    *id = strtol(digits, &end, 10);
    return n > 0 && strspn(digits, "0123456789") >= n && errno == 0 && *id <= INT_MAX;
}

static enum slm_status open_sysv(struct mill_source *source, const char *digits,
                                 struct slm_error *error)
{
    long id;
    struct shmid_ds about;
    if (!parse_id(digits, strlen(digits), &id)) {
        return slm_error_set(error, SLM_E_OPTION, 0, "%s: expected sysv:ID, a number",
                             source->label);
    }
    if (shmctl((int)id, IPC_STAT, &about) != 0) {
        errno = errno == EINVAL || errno == EIDRM ? ENOENT : errno;
        return fail(error, source->label, "cannot be inspected");
    }
    /* A System V segment cannot be cut, so reading it raises no SIGBUS. */
    const void *map = shmat((int)id, NULL, SHM_RDONLY);
    if (map == (const void *)-1) {
        return fail(error, source->label, "cannot map");
    }
    source->map = map;
    source->map_bytes = about.shm_segsz;
    return SLM_OK;
}

/* memfd:FD is a descriptor of this process, inherited through exec. */
static enum slm_status open_memfd(struct mill_source *source, const char *digits,
                                  struct slm_error *error)
{
    char path[64];
    long pid = 0;
    long fd;
    const char *colon = strchr(digits, ':');
    const char *last = colon == NULL ? digits : colon + 1;
    if ((colon != NULL && !parse_id(digits, (size_t)(colon - digits), &pid)) ||
        !parse_id(last, strlen(last), &fd)) {
        return slm_error_set(error, SLM_E_OPTION, 0, "%s: expected memfd:PID:FD, two numbers",
                             source->label);
    }
    if (colon == NULL) {
        (void)snprintf(path, sizeof path, "/proc/self/fd/%ld", fd);
    } else {
        (void)snprintf(path, sizeof path, "/proc/%ld/fd/%ld", pid, fd);
    }
    return open_path(source, path, error);
}

static const struct form {
    const char *prefix;
    enum slm_status (*open)(struct mill_source *source, const char *rest, struct slm_error *error);
} forms[] = {
    {"posix:", open_posix}, {"file:", open_name}, {"memfd:", open_memfd},
    {"sysv:", open_sysv},   {"", open_name},
};

enum slm_status mill_source_open(struct mill_source *source, const char *zone,
                                 struct slm_error *error)
{
    *source = (struct mill_source){.label = zone, .fd = -1};
    size_t i = 0;
    while (strncmp(zone, forms[i].prefix, strlen(forms[i].prefix)) != 0) {
        i++;
    }
    return forms[i].open(source, zone + strlen(forms[i].prefix), error);
}

void mill_source_close(struct mill_source *source)
{
    if (source->fd >= 0) {
        (void)close(source->fd);
    }
    if (source->map != NULL) {
        (void)shmdt(source->map);
    }
}

enum slm_status mill_source_check_name(const struct mill_source *source, struct slm_error *error)
{
    struct stat mine;
    struct stat there;
    if (source->path[0] == '\0' || fstat(source->fd, &mine) != 0) {
        return slm_error_clear(error);
    }
    if (stat(source->path, &there) != 0) {
        return errno == ENOENT
                   ? slm_error_set(
                         error, SLM_E_MISSING, errno,
                         "%s: its name was removed: its users keep the zone, and no other "
                         "process can find it",
                         source->label)
                   : slm_error_clear(error);
    }
    return mine.st_dev == there.st_dev && mine.st_ino == there.st_ino
               ? slm_error_clear(error)
               : slm_error_set(error, SLM_E_REPLACED, 0,
                               "%s: the name leads to another file now: the users of the zone that "
                               "was shown keep it",
                               source->label);
}

enum slm_status mill_source_bytes(const struct mill_source *source, size_t *n_bytes,
                                  struct slm_error *error)
{
    struct stat about;
    if (source->map != NULL) {
        *n_bytes = source->map_bytes;
        return SLM_OK;
    }
    if (fstat(source->fd, &about) != 0) {
        return fail(error, source->label, "cannot be inspected");
    }
    *n_bytes = (size_t)about.st_size;
    return SLM_OK;
}

static enum slm_status read_file(const struct mill_source *source, size_t offset, unsigned char *to,
                                 size_t n_bytes, struct slm_error *error)
{
    size_t n_done = 0;
    while (n_done < n_bytes) {
        ssize_t n = pread(source->fd, to + n_done, n_bytes - n_done, (off_t)(offset + n_done));
        if (n < 0 && errno != EINTR) {
            return fail(error, source->label, "cannot read");
        }
        if (n == 0) {
            return slm_error_set(error, SLM_E_TRUNCATED, 0,
                                 "%s: ends at byte %zu, expected %zu bytes at least: it was cut",
                                 source->label, offset + n_done, offset + n_bytes);
        }
        n_done += n > 0 ? (size_t)n : 0;
    }
    return SLM_OK;
}

enum slm_status mill_source_read(const struct mill_source *source, size_t offset, void *to,
                                 size_t n_bytes, struct slm_error *error)
{
    if (source->map == NULL) {
        return read_file(source, offset, to, n_bytes, error);
    }
    if (offset > source->map_bytes || n_bytes > source->map_bytes - offset) {
        return slm_error_set(error, SLM_E_TRUNCATED, 0, "%s: %zu bytes, expected %zu at least",
                             source->label, source->map_bytes, offset + n_bytes);
    }
    memcpy(to, (const unsigned char *)source->map + offset, n_bytes);
    return SLM_OK;
}

enum slm_status mill_source_read_image(const struct mill_source *source,
                                       struct slm_zone_image *image, struct slm_error *error)
{
    unsigned char head[SLM_ZONE_IMAGE_HEAD_BYTES] __attribute__((aligned(64)));
    size_t n_bytes = 0; /* gcc does not see that SLM_OK sets it */
    enum slm_status status = mill_source_bytes(source, &n_bytes, error);
    if (status != SLM_OK) {
        return status;
    }
    size_t n_head = n_bytes < sizeof head ? n_bytes : sizeof head;
    status = mill_source_read(source, 0, head, n_head, error);
    return status == SLM_OK ? slm_zone_image_read(image, head, n_head, source->label, error)
                            : status;
}

/* How to attach the source's segment. A MEMFD handle has a descriptor of its own, *fd. */
static struct slm_segment_options segment_of(const struct mill_source *source, int *fd)
{
    struct slm_segment_options segment = {.mode = 0777}; /* any permissions will do */
    const char *colon = strchr(source->label, ':');
    const char *rest = colon == NULL ? source->label : colon + 1;
    if (source->map != NULL) {
        segment.kind = SLM_SEGMENT_SYSV;
        segment.id = atoi(rest);
    } else if (strncmp(source->label, "memfd:", strlen("memfd:")) == 0) {
        char path[64];
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", source->fd);
        *fd = open(path, O_RDWR | O_CLOEXEC);
        segment.kind = SLM_SEGMENT_MEMFD;
        segment.id = *fd;
    } else if (strncmp(source->label, "posix:", strlen("posix:")) == 0) {
        segment.kind = SLM_SEGMENT_POSIX;
        segment.name = mill_posix_name(rest);
    } else {
        bool has_prefix = strncmp(source->label, "file:", strlen("file:")) == 0;
        segment.kind = SLM_SEGMENT_FILE;
        segment.name = has_prefix ? rest : source->label;
    }
    return segment;
}

int mill_source_use(const struct mill_options *options,
                    int (*use)(const struct slm_segment_options *segment,
                               const struct slm_zone_image *image,
                               const struct mill_options *options))
{
    struct mill_source source;
    struct slm_error error;
    struct slm_zone_image image;
    int fd = -1;
    if (mill_source_open(&source, options->files[0], &error) != SLM_OK) {
        return mill_complain("%s", error.text);
    }
    enum slm_status status = mill_source_read_image(&source, &image, &error);
    struct slm_segment_options segment = segment_of(&source, &fd);
    mill_source_close(&source);
    int result =
        status == SLM_OK ? use(&segment, &image, options) : mill_complain("%s", error.text);
    if (fd >= 0) {
        (void)close(fd);
    }
    return result;
}
