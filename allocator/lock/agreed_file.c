/* SPDX-License-Identifier: Apache-2.0 */
/* The file that all processes lock: agreed on in the state, opened only if it is that one. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_CLOEXEC, O_NOFOLLOW, F_DUPFD_CLOEXEC */
#endif
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allocator/lock/handle.h"
#include "allocator/lock/origin.h"

/*
 * The system's lock excludes others only if all lock one file, and a path may come to name another
 * file. So the state records which file it is: the numbers of its inode and its device, one word
 * after the other, each stored once by the first process that attaches. A process that finds
 * another number in either word has opened another file, and is refused. The words are compared
 * again after each grant, since slm_lock_attach may have reset them meanwhile.
 */

bool slm_lock_file_is_agreed(const struct slm_lock_file *file)
{
    struct slm_lock_state *state = file->state;
    return slm_lock_agree_on(state, &state->file_inode, file->inode) &&
           slm_lock_agree_on(state, &state->file_device, file->device);
}

static bool is_agreed(const struct slm_lock_state *state)
{
    return __atomic_load_n(&state->file_inode, __ATOMIC_RELAXED) != 0;
}

/* A user who may only read a file can keep a read lock of it, which excludes every write lock. */
static bool is_of_this_user_alone(const struct stat *found)
{
    return S_ISREG(found->st_mode) && found->st_uid == geteuid() &&
           (found->st_mode & (S_IRWXG | S_IRWXO)) == 0;
}

/* A umask takes rights from a file that is made, its owner's too. Without them no child of fork
 * could open it again. */
static bool gives_rights(int fd, const struct stat *found)
{
    const mode_t needed = S_IRUSR | S_IWUSR;
    return (found->st_mode & needed) == needed || fchmod(fd, needed) == 0;
}

/* Programs open 0 to 2 again without a look, and write to them. Returns a descriptor, or -1 with
 * errno. */
static int move_above_standard(int fd)
{
    if (fd < 0 || fd > STDERR_FILENO) {
        return fd;
    }
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int os_errno = errno;
    (void)close(fd);
    errno = os_errno;
    return moved;
}

/* Returns a descriptor, or -1 with errno. A FIFO of that name must not block. */
static int open_path(const char *path, int flags, struct stat *found)
{
    int fd =
        move_above_standard(open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600));
    if (fd < 0) {
        return -1;
    }
    if (fstat(fd, found) != 0 || !is_of_this_user_alone(found) || !gives_rights(fd, found)) {
        (void)close(fd);
        errno = EPERM;
        return -1;
    }
    return fd;
}

int slm_lock_file_open_agreed(struct slm_lock_file *file)
{
    struct stat found;
    bool is_first = !is_agreed(file->state);
    int fd = open_path(file->path, is_first ? O_CREAT : 0, &found);
    if (fd < 0) {
        return errno == ENOENT && !is_first ? ESTALE : errno;
    }
    file->device = found.st_dev;
    file->inode = found.st_ino;
    if (!slm_lock_file_is_agreed(file)) {
        (void)close(fd);
        return ESTALE;
    }
    file->fd = fd;
    return 0;
}

int slm_lock_file_open_again(struct slm_lock_file *file)
{
    struct stat found;
    int fd = open_path(file->path, 0, &found);
    if (fd < 0) {
        return errno;
    }
    if (found.st_dev != file->device || found.st_ino != file->inode) {
        (void)close(fd);
        return ESTALE;
    }
    file->fd = fd;
    return 0;
}

/* The descriptor may be closed, or be another file's now. */
bool slm_lock_file_is_open(const struct slm_lock_file *file)
{
    struct stat found;
    return file->fd >= 0 && fstat(file->fd, &found) == 0 && found.st_dev == file->device &&
           found.st_ino == file->inode;
}

void slm_lock_file_close(struct slm_lock_file *file)
{
    if (slm_lock_file_is_open(file)) {
        (void)close(file->fd);
    }
    file->fd = -1;
}
