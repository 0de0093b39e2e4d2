/* A disk that fails when told to: preloaded, it counts what a process does to files below a folder,
 * and lets the n-th such call fail, or move fewer bytes than asked for. The file FAULTY_DISK_PLAN
 * holds `struct plan`, which the test fills in and reads while processes share it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include "paths.h"

enum { OPEN_READ = 1, OPEN_WRITE = 2, READ = 4, WRITE = 8, SYNC = 16, RENAME = 32 };

struct plan {
    char folder[1024];       /* no slash at the end; empty: nothing is looked at */
    int64_t kinds;           /* calls that count, of those above */
    int64_t error;           /* errno of the failure; 0: half of the bytes are moved */
    int64_t at;              /* the call that fails, from 1; 0: none */
    int64_t sticky;          /* whether all later calls fail, too */
    _Atomic int64_t seen;    /* calls so far */
    _Atomic int64_t struck;  /* failures so far */
};

static struct plan *plan;

__attribute__((constructor)) static void map_plan(void)
{
    const char *name = getenv("FAULTY_DISK_PLAN");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *mapped = mmap(NULL, sizeof *plan, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (mapped != MAP_FAILED)
        plan = mapped;
}

static int file_is_below(int file, const char *name)
{
    char path[PATH_MAX];
    return plan && plan->folder[0] && path_of(file, name, path) && lies_below(path, plan->folder);
}

/* Whether this call is the one that fails. */
static int strikes(int kind)
{
    if (!(plan->kinds & kind))
        return 0;
    int64_t number = atomic_fetch_add(&plan->seen, 1) + 1;
    if (!plan->at || number < plan->at || (number > plan->at && !plan->sticky))
        return 0;
    atomic_fetch_add(&plan->struck, 1);
    return 1;
}

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) \
        real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

static int open_fails(int folder, const char *path, int flags)
{
    int kind = flags & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC) ? OPEN_WRITE : OPEN_READ;
    if (!file_is_below(folder, path) || !(plan->kinds & kind) || !plan->error)
        return 0;
    if (!strikes(kind))
        return 0;
    errno = (int)plan->error;
    return 1;
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { \
        va_list rest; \
        va_start(rest, flags); \
        mode = va_arg(rest, mode_t); \
        va_end(rest); \
    }

int open(const char *path, int flags, ...)
{
    REAL(open);
    MODE_OF(flags)
    return open_fails(AT_FDCWD, path, flags) ? -1 : real(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    REAL(open64);
    MODE_OF(flags)
    return open_fails(AT_FDCWD, path, flags) ? -1 : real(path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    REAL(openat);
    MODE_OF(flags)
    return open_fails(folder, path, flags) ? -1 : real(folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    REAL(openat64);
    MODE_OF(flags)
    return open_fails(folder, path, flags) ? -1 : real(folder, path, flags, mode);
}

/* Moves bytes: as asked, half of them, or none and an error. */
#define MOVE(kind, file, call, half) \
    if (!plan || !plan->folder[0] || !(plan->kinds & kind) || !file_is_below(file, NULL)) \
        return call; \
    if (!strikes(kind)) \
        return call; \
    if (!plan->error) \
        return half; \
    errno = (int)plan->error; \
    return -1;

#define HALF(size) ((size) > 1 ? (size) / 2 : (size))

ssize_t write(int file, const void *from, size_t size)
{
    REAL(write);
    MOVE(WRITE, file, real(file, from, size), real(file, from, HALF(size)))
}

ssize_t pwrite(int file, const void *from, size_t size, off_t at)
{
    REAL(pwrite);
    MOVE(WRITE, file, real(file, from, size, at), real(file, from, HALF(size), at))
}

ssize_t pwrite64(int file, const void *from, size_t size, off64_t at)
{
    REAL(pwrite64);
    MOVE(WRITE, file, real(file, from, size, at), real(file, from, HALF(size), at))
}

ssize_t writev(int file, const struct iovec *from, int parts)
{
    REAL(writev);
    MOVE(WRITE, file, real(file, from, parts), real(file, from, parts > 1 ? parts / 2 : parts))
}

ssize_t read(int file, void *to, size_t size)
{
    REAL(read);
    MOVE(READ, file, real(file, to, size), real(file, to, HALF(size)))
}

ssize_t pread(int file, void *to, size_t size, off_t at)
{
    REAL(pread);
    MOVE(READ, file, real(file, to, size, at), real(file, to, HALF(size), at))
}

ssize_t pread64(int file, void *to, size_t size, off64_t at)
{
    REAL(pread64);
    MOVE(READ, file, real(file, to, size, at), real(file, to, HALF(size), at))
}

#define FAIL(kind, below) \
    if (plan && plan->folder[0] && plan->error && (plan->kinds & kind) && (below) \
        && strikes(kind)) { \
        errno = (int)plan->error; \
        return -1; \
    }

int fsync(int file)
{
    REAL(fsync);
    FAIL(SYNC, file_is_below(file, NULL))
    return real(file);
}

int fdatasync(int file)
{
    REAL(fdatasync);
    FAIL(SYNC, file_is_below(file, NULL))
    return real(file);
}

int rename(const char *from, const char *to)
{
    REAL(rename);
    FAIL(RENAME, file_is_below(AT_FDCWD, to))
    return real(from, to);
}

int renameat(int from_folder, const char *from, int folder, const char *to)
{
    REAL(renameat);
    FAIL(RENAME, file_is_below(folder, to))
    return real(from_folder, from, folder, to);
}

int link(const char *from, const char *to)
{
    REAL(link);
    FAIL(RENAME, file_is_below(AT_FDCWD, to))
    return real(from, to);
}

int linkat(int from_folder, const char *from, int folder, const char *to, int flags)
{
    REAL(linkat);
    FAIL(RENAME, file_is_below(folder, to))
    return real(from_folder, from, folder, to, flags);
}

int mkdir(const char *path, mode_t mode)
{
    REAL(mkdir);
    FAIL(OPEN_WRITE, file_is_below(AT_FDCWD, path))
    return real(path, mode);
}
