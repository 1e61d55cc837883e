/* System calls that fail when they are told to: loaded before libc (LD_PRELOAD).
 *
 * `faulty_arm` says which call is to fail, from which one on, and how; calls are counted over all
 * threads. Only files named ezra.db, or something longer, count, and of these not the shared
 * memory. Everything else goes to libc.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static atomic_long left;  /* calls until the first that fails; it has value 1 then */
static atomic_long faults;
static int armed, error_number, for_ever;
static char wanted[32];

/* Have the n-th call (counted from 1) of that name fail with the error; or all from it on. */
void faulty_arm(const char *call, long n, int error, int ever) {
    snprintf(wanted, sizeof wanted, "%s", call);
    error_number = error;
    for_ever = ever;
    left = n;
    faults = 0;
    armed = 1;
}

/* Have no call fail any more; return how many did. */
long faulty_disarm(void) {
    armed = 0;
    return faults;
}

static int is_database(int file) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    const char *name = strrchr(path, '/');
    if (!name || strncmp(name, "/ezra.db", 8)) return 0;
    return length < 4 || strcmp(path + length - 4, "-shm");
}

static int fails(const char *call, int file) {
    if (!armed || strcmp(call, wanted) || !is_database(file)) return 0;
    long now = atomic_fetch_sub(&left, 1);
    if (now > 1 || (now < 1 && !for_ever)) return 0;
    faults++;
    errno = error_number;
    return 1;
}

#define REAL(type, name, ...)                                         \
    static type (*real)(__VA_ARGS__);                                 \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name);

ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) {
    REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)
    return fails("pwrite64", file) ? -1 : real(file, data, size, at);
}

ssize_t pread64(int file, void *data, size_t size, off64_t at) {
    REAL(ssize_t, pread64, int, void *, size_t, off64_t)
    return fails("pread64", file) ? -1 : real(file, data, size, at);
}

int ftruncate64(int file, off64_t size) {
    REAL(int, ftruncate64, int, off64_t)
    return fails("ftruncate", file) ? -1 : real(file, size);
}

int fdatasync(int file) {
    REAL(int, fdatasync, int)
    return fails("fdatasync", file) ? -1 : real(file);
}

int fsync(int file) {
    REAL(int, fsync, int)
    return fails("fdatasync", file) ? -1 : real(file);
}
