/* Lets one operation on the files of a folder fail, or that one and all later ones of some kinds, as a full or a
   broken disk does. It is loaded before the C library (LD_PRELOAD), so that libraries of any language get it.

   Kinds of operations, each a letter:
     o  open a file to read      c  open a file to write     r  read         w  write       x  close what was written
     s  bring to the disk        n  rename                   m  make a folder               u  remove a file or folder
     t  set the size             p  set the permissions      l  list a folder */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_KINDS 1000000
#define REAL(name)                                    \
    static __typeof__(&name) real;                    \
    if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static char folder[PATH_MAX], lasting[32], kinds[MOST_KINDS], failed[2 * PATH_MAX + 32];
static long failing;
static int error_number;
static atomic_long seen;
static atomic_int is_on;

/* Begin to count: the operation of this number fails (none if it is negative), and all later ones of these kinds. */
void faults_begin(const char *path, long number, int error, const char *later) {
    snprintf(folder, sizeof folder, "%s", path);
    snprintf(lasting, sizeof lasting, "%s", later);
    failing = number;
    error_number = error;
    seen = 0;
    kinds[0] = failed[0] = 0;
    is_on = 1;
}

/* End it. */
void faults_end(void) { is_on = 0; }

/* The kind of each operation so far, and the one that failed first, with its path ("" if none did). */
const char *faults_kinds(void) { return kinds; }
const char *faults_failed(void) { return failed; }

/* 1 if this operation has to fail. The path belongs to a folder that is open, or is none: that of an open file. */
static int fails(char kind, int file, const char *path) {
    if (!is_on) return 0;
    char whole[2 * PATH_MAX] = "", link[64];
    size_t length = 0;
    int before = errno;
    if (!path || path[0] != '/') {
        ssize_t count;
        snprintf(link, sizeof link, file == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", file);
        count = readlink(link, whole, PATH_MAX - 1);
        length = count > 0 ? (size_t)count : 0;
    }
    errno = before;
    if (path) snprintf(whole + length, PATH_MAX, "%s%s", length ? "/" : "", path);
    length = strlen(folder);
    if (strncmp(whole, folder, length) || (whole[length] && whole[length] != '/')) return 0;
    long number = atomic_fetch_add(&seen, 1);
    if (number < MOST_KINDS - 1) kinds[number] = kind, kinds[number + 1] = 0;
    if (failing < 0 || number < failing || (number > failing && !strchr(lasting, kind))) return 0;
    if (number == failing) snprintf(failed, sizeof failed, "%c %s", kind, whole);
    errno = error_number;
    return 1;
}

static char kind_of(int flags) {
    if (flags & O_DIRECTORY) return 'l';
    return (flags & O_ACCMODE) != O_RDONLY || flags & O_CREAT ? 'c' : 'o';
}

static int is_written(int file) {
    int before = errno, flags = fcntl(file, F_GETFL);
    errno = before;
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

#define OPEN(name)                                                              \
    int name(const char *path, int flags, ...) {                                \
        REAL(name);                                                             \
        va_list more;                                                           \
        va_start(more, flags);                                                  \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                           \
        return fails(kind_of(flags), AT_FDCWD, path) ? -1 : real(path, flags, mode); \
    }
#define OPENAT(name)                                                            \
    int name(int at, const char *path, int flags, ...) {                        \
        REAL(name);                                                             \
        va_list more;                                                           \
        va_start(more, flags);                                                  \
        mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more);                                                           \
        return fails(kind_of(flags), at, path) ? -1 : real(at, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

#define OPERATION(result, name, parameters, arguments, kind, file, path, otherwise) \
    result name parameters {                                                        \
        REAL(name);                                                                 \
        return fails(kind, file, path) ? otherwise : real arguments;                \
    }
OPERATION(ssize_t, read, (int file, void *to, size_t count), (file, to, count), 'r', file, NULL, -1)
OPERATION(ssize_t, pread, (int file, void *to, size_t count, off_t at), (file, to, count, at), 'r', file, NULL, -1)
OPERATION(ssize_t, pread64, (int file, void *to, size_t count, off64_t at), (file, to, count, at), 'r', file, NULL, -1)
OPERATION(ssize_t, writev, (int file, const struct iovec *from, int count), (file, from, count), 'w', file, NULL, -1)
OPERATION(ssize_t, pwrite, (int file, const void *from, size_t count, off_t at), (file, from, count, at), 'w', file, NULL, -1)
OPERATION(ssize_t, pwrite64, (int file, const void *from, size_t count, off64_t at), (file, from, count, at), 'w', file, NULL, -1)
OPERATION(int, fsync, (int file), (file), 's', file, NULL, -1)
OPERATION(int, fdatasync, (int file), (file), 's', file, NULL, -1)
OPERATION(int, ftruncate, (int file, off_t size), (file, size), 't', file, NULL, -1)
OPERATION(int, ftruncate64, (int file, off64_t size), (file, size), 't', file, NULL, -1)
OPERATION(int, fchmod, (int file, mode_t mode), (file, mode), 'p', file, NULL, -1)
OPERATION(int, chmod, (const char *path, mode_t mode), (path, mode), 'p', AT_FDCWD, path, -1)
OPERATION(int, fchmodat, (int at, const char *path, mode_t mode, int flags), (at, path, mode, flags), 'p', at, path, -1)
OPERATION(int, mkdir, (const char *path, mode_t mode), (path, mode), 'm', AT_FDCWD, path, -1)
OPERATION(int, mkdirat, (int at, const char *path, mode_t mode), (at, path, mode), 'm', at, path, -1)
OPERATION(int, rmdir, (const char *path), (path), 'u', AT_FDCWD, path, -1)
OPERATION(int, unlink, (const char *path), (path), 'u', AT_FDCWD, path, -1)
OPERATION(int, unlinkat, (int at, const char *path, int flags), (at, path, flags), 'u', at, path, -1)
OPERATION(int, rename, (const char *old, const char *new), (old, new), 'n', AT_FDCWD, new, -1)
OPERATION(int, renameat, (int at, const char *old, int to, const char *new), (at, old, to, new), 'n', to, new, -1)
OPERATION(DIR *, opendir, (const char *path), (path), 'l', AT_FDCWD, path, NULL)

/* A disk that is full takes a part of the bytes. */
ssize_t write(int file, const void *from, size_t count) {
    REAL(write);
    if (!fails('w', file, NULL)) return real(file, from, count);
    ssize_t part = error_number == ENOSPC ? real(file, from, count / 2) : 0;
    (void)part;
    errno = error_number;
    return -1;
}

/* What cannot be closed is closed all the same. */
int close(int file) {
    REAL(close);
    int fail = is_on && is_written(file) && fails('x', file, NULL);
    int result = real(file);
    if (!fail) return result;
    errno = error_number;
    return -1;
}
