/* Writes down what a process does to files below a folder, in order: preloaded, it appends a line
 * for each change to the file RECORDED_DISK_LOG, and keeps beside it, as NUMBER.synced, what a file
 * holds each time it is synced. RECORDED_DISK_FOLDER names the folder. A line has, between tabs:
 * what was done, the inode, the path, and a second path or number. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>
#include "paths.h"

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static const char *folder, *log_name;

__attribute__((constructor)) static void set_up(void)
{
    folder = getenv("RECORDED_DISK_FOLDER");
    log_name = getenv("RECORDED_DISK_LOG");
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int is_ours(int from, const char *name, char *path)
{
    return folder && log_name && path_of(from, name, path) && lies_below(path, folder);
}

static void put(const char *what, unsigned long inode, const char *path, const char *other)
{
    char line[2 * PATH_MAX + 64];
    int length = snprintf(line, sizeof line, "%s\t%lu\t%s\t%s\n", what, inode, path, other);
    int log = (int)syscall(SYS_openat, AT_FDCWD, log_name, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (log < 0 || syscall(SYS_write, log, line, length) != length)
        abort();
    syscall(SYS_close, log);
}

static void tell(const char *what, unsigned long inode, const char *path, const char *other)
{
    pthread_mutex_lock(&one_at_a_time);
    put(what, inode, path, other);
    pthread_mutex_unlock(&one_at_a_time);
}

static unsigned long inode_of(int file)
{
    struct stat known;
    return fstat(file, &known) ? 0 : (unsigned long)known.st_ino;
}

static void opened(int file, int from, const char *name, int flags)
{
    char path[PATH_MAX];
    if (file < 0 || !(flags & (O_CREAT | O_TRUNC)) || !is_ours(from, name, path))
        return;
    tell(flags & O_TRUNC ? "truncate" : "create", inode_of(file), path, "");
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

#define OPEN(name) \
    int name(const char *path, int flags, ...) \
    { \
        REAL(name); \
        MODE_OF(flags) \
        int file = real(path, flags, mode); \
        opened(file, AT_FDCWD, path, flags); \
        return file; \
    }
#define OPEN_AT(name) \
    int name(int from, const char *path, int flags, ...) \
    { \
        REAL(name); \
        MODE_OF(flags) \
        int file = real(from, path, flags, mode); \
        opened(file, from, path, flags); \
        return file; \
    }
OPEN(open)
OPEN(open64)
OPEN_AT(openat)
OPEN_AT(openat64)

static void changed(int file)
{
    char path[PATH_MAX];
    if (file > 2 && is_ours(file, NULL, path))
        tell("write", inode_of(file), path, "");
}

#define CHANGE(type, name, parameters, file, arguments) \
    type name parameters \
    { \
        REAL(name); \
        changed(file); \
        return real arguments; \
    }
CHANGE(ssize_t, write, (int file, const void *from, size_t size), file, (file, from, size))
CHANGE(ssize_t, pwrite, (int file, const void *from, size_t size, off_t at), file,
       (file, from, size, at))
CHANGE(ssize_t, pwrite64, (int file, const void *from, size_t size, off64_t at), file,
       (file, from, size, at))
CHANGE(ssize_t, writev, (int file, const struct iovec *from, int parts), file, (file, from, parts))
CHANGE(int, ftruncate, (int file, off_t size), file, (file, size))
CHANGE(int, ftruncate64, (int file, off64_t size), file, (file, size))

/* Keeps what a file holds now. */
static void keep(int file, const char *name)
{
    char piece[1 << 16];
    off_t at = 0;
    ssize_t length;
    int to = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    char own[64];
    snprintf(own, sizeof own, "/proc/self/fd/%d", file);
    int from = (int)syscall(SYS_openat, AT_FDCWD, own, O_RDONLY);
    while ((length = syscall(SYS_pread64, from, piece, sizeof piece, at)) > 0) {
        if (syscall(SYS_write, to, piece, length) != length)
            abort();
        at += length;
    }
    syscall(SYS_close, from);
    syscall(SYS_close, to);
}

static void synced(int file)
{
    static unsigned long number;
    struct stat known;
    char path[PATH_MAX], name[PATH_MAX + 32], text[32];
    if (!is_ours(file, NULL, path) || fstat(file, &known))
        return;
    if (S_ISDIR(known.st_mode)) {
        tell("sync folder", (unsigned long)known.st_ino, path, "");
        return;
    }
    pthread_mutex_lock(&one_at_a_time);
    snprintf(text, sizeof text, "%d-%lu", (int)getpid(), number++);
    snprintf(name, sizeof name, "%s.%s.synced", log_name, text);
    keep(file, name);
    put("sync", (unsigned long)known.st_ino, path, text);
    pthread_mutex_unlock(&one_at_a_time);
}

int fsync(int file)
{
    REAL(fsync);
    int failed = real(file);
    if (!failed)
        synced(file);
    return failed;
}

int fdatasync(int file)
{
    REAL(fdatasync);
    int failed = real(file);
    if (!failed)
        synced(file);
    return failed;
}

static void named(const char *what, int from, const char *old, int to, const char *new)
{
    char path[PATH_MAX], other[PATH_MAX];
    if (is_ours(to, new, other) | is_ours(from, old, path))
        tell(what, 0, path, other);
}

static void gone(const char *what, int from, const char *name)
{
    char path[PATH_MAX];
    if (is_ours(from, name, path))
        tell(what, 0, path, "");
}

#define DONE(type, name, parameters, arguments, then) \
    type name parameters \
    { \
        REAL(name); \
        type failed = real arguments; \
        if (!failed) \
            then; \
        return failed; \
    }
DONE(int, rename, (const char *old, const char *new), (old, new),
     named("rename", AT_FDCWD, old, AT_FDCWD, new))
DONE(int, renameat, (int from, const char *old, int to, const char *new), (from, old, to, new),
     named("rename", from, old, to, new))
DONE(int, renameat2, (int from, const char *old, int to, const char *new, unsigned flags),
     (from, old, to, new, flags), named("rename", from, old, to, new))
DONE(int, link, (const char *old, const char *new), (old, new),
     named("link", AT_FDCWD, old, AT_FDCWD, new))
DONE(int, linkat, (int from, const char *old, int to, const char *new, int flags),
     (from, old, to, new, flags), named("link", from, old, to, new))
DONE(int, unlink, (const char *name), (name), gone("unlink", AT_FDCWD, name))
DONE(int, unlinkat, (int from, const char *name, int flags), (from, name, flags),
     gone("unlink", from, name))
DONE(int, rmdir, (const char *name), (name), gone("unlink", AT_FDCWD, name))
DONE(int, mkdir, (const char *name, mode_t mode), (name, mode), gone("mkdir", AT_FDCWD, name))
DONE(int, mkdirat, (int from, const char *name, mode_t mode), (from, name, mode),
     gone("mkdir", from, name))
