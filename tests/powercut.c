/* Preloaded into a service, writes down in one order what it does to the files of a folder and what it acknowledges.

   POWERCUT_FOLDER names the folder, POWERCUT_LOG the journal: records of an operation (one byte), the number of the file
   (4), an offset (8) and a length (4) with that many bytes. From them a test makes the disk as a power cut would have left
   it at any moment. While the file POWERCUT_TROUBLE exists, every n-th write and sync of these files fails (EIO), n being the
   number in it; with 0 the disk is full (ENOSPC for every write that makes a file longer). Only calls are looked at: what is mapped (SQLite's -shm, made anew after a crash) is not seen. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST 65536
static int number_of[MOST]; /* the file of a descriptor; 0 is none of ours */
static int last, journal = -1;
static const char *folder, *trouble;
static long tries;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    folder = getenv("POWERCUT_FOLDER");
    trouble = getenv("POWERCUT_TROUBLE");
    if (folder && getenv("POWERCUT_LOG"))
        journal = REAL(open)(getenv("POWERCUT_LOG"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void note(char what, uint32_t file, uint64_t at, const void *bytes, uint32_t length) {
    struct __attribute__((packed)) { char what; uint32_t file; uint64_t at; uint32_t length; } head = {what, file, at, length};
    struct iovec parts[2] = {{&head, sizeof head}, {(void *)bytes, length}};
    if (writev(journal, parts, length ? 2 : 1) < 0) abort();
}

static int opened(int fd, const char *path, int flags) {
    if (fd < 0 || fd >= MOST || journal < 0 || strncmp(path, folder, strlen(folder)) || (flags & O_DIRECTORY)) return fd;
    pthread_mutex_lock(&turn);
    number_of[fd] = ++last;
    note('o', last, (flags & O_TRUNC) != 0, path, strlen(path));
    pthread_mutex_unlock(&turn);
    return fd;
}

#define MODE(flags) mode_t mode = 0; if ((flags) & (O_CREAT | O_TMPFILE)) { va_list l; va_start(l, flags); mode = va_arg(l, int); va_end(l); }
int open(const char *path, int flags, ...) { MODE(flags) return opened(REAL(open)(path, flags, mode), path, flags); }
int open64(const char *path, int flags, ...) { MODE(flags) return opened(REAL(open64)(path, flags, mode), path, flags); }
int openat(int at, const char *path, int flags, ...) { MODE(flags) return opened(REAL(openat)(at, path, flags, mode), path, flags); }
int openat64(int at, const char *path, int flags, ...) { MODE(flags) return opened(REAL(openat64)(at, path, flags, mode), path, flags); }

static int is_ours(int fd) { return fd >= 0 && fd < MOST && number_of[fd]; }

int close(int fd) {
    if (is_ours(fd)) number_of[fd] = 0;
    return REAL(close)(fd);
}

/* Whether this call is to fail; errno says how. `upto` is where a write would end, 0 of a sync. */
static int fails(int fd, off_t upto) {
    char text[16] = {0};
    int file = trouble ? REAL(open)(trouble, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return 0;
    long n = REAL(read)(file, text, sizeof text - 1) > 0 ? atol(text) : 1;
    REAL(close)(file);
    errno = n ? EIO : ENOSPC;
    return n ? ++tries % n == 0 : upto > lseek(fd, 0, SEEK_END);
}

static ssize_t wrote(int fd, const void *bytes, ssize_t done, off_t at) {
    if (done > 0) note('w', number_of[fd], at, bytes, done);
    return done;
}

#define LOCKED(call) pthread_mutex_lock(&turn); __auto_type done = (call); pthread_mutex_unlock(&turn); return done;
ssize_t pwrite(int fd, const void *b, size_t n, off_t at) {
    if (!is_ours(fd)) return REAL(pwrite)(fd, b, n, at);
    if (fails(fd, at + n)) return -1;
    LOCKED(wrote(fd, b, REAL(pwrite)(fd, b, n, at), at))
}
ssize_t pwrite64(int fd, const void *b, size_t n, off64_t at) {
    if (!is_ours(fd)) return REAL(pwrite64)(fd, b, n, at);
    if (fails(fd, at + n)) return -1;
    LOCKED(wrote(fd, b, REAL(pwrite64)(fd, b, n, at), at))
}
ssize_t write(int fd, const void *b, size_t n) {
    if (!is_ours(fd)) return REAL(write)(fd, b, n);
    pthread_mutex_lock(&turn);
    off_t end = lseek(fd, 0, SEEK_CUR);
    ssize_t done = REAL(write)(fd, b, n);
    if (fcntl(fd, F_GETFL) & O_APPEND) end = lseek(fd, 0, SEEK_CUR) - (done > 0 ? done : 0);
    wrote(fd, b, done, end);
    pthread_mutex_unlock(&turn);
    return done;
}

static int cut(int fd, int done, off_t length) {
    if (!done) note('t', number_of[fd], length, 0, 0);
    return done;
}
int ftruncate(int fd, off_t n) {
    if (!is_ours(fd)) return REAL(ftruncate)(fd, n);
    LOCKED(cut(fd, REAL(ftruncate)(fd, n), n))
}
int ftruncate64(int fd, off64_t n) {
    if (!is_ours(fd)) return REAL(ftruncate64)(fd, n);
    LOCKED(cut(fd, REAL(ftruncate64)(fd, n), n))
}

/* A sync covers what was written before it began: it is noted with the journal's length at that moment, before it is done,
   and once more when it is done. */
static int synced(int fd, int (*sync)(int)) {
    if (fails(fd, 0)) return -1;
    pthread_mutex_lock(&turn);
    uint64_t upto = lseek(journal, 0, SEEK_END);
    uint32_t file = number_of[fd];
    pthread_mutex_unlock(&turn);
    int done = sync(fd);
    pthread_mutex_lock(&turn);
    if (!done) note('s', file, upto, 0, 0);
    pthread_mutex_unlock(&turn);
    return done;
}
int fsync(int fd) { return is_ours(fd) ? synced(fd, REAL(fsync)) : REAL(fsync)(fd); }
int fdatasync(int fd) { return is_ours(fd) ? synced(fd, REAL(fdatasync)) : REAL(fdatasync)(fd); }

int unlink(const char *path) {
    if (journal < 0 || strncmp(path, folder, strlen(folder))) return REAL(unlink)(path);
    pthread_mutex_lock(&turn);
    int done = REAL(unlink)(path);
    if (!done) note('u', 0, 0, path, strlen(path));
    pthread_mutex_unlock(&turn);
    return done;
}

/* What goes to a sender: noted before it leaves. */
ssize_t send(int fd, const void *b, size_t n, int flags) {
    static const char mark[] = "{\"receipt\": \"";
    if (journal >= 0 && n > sizeof mark) {
        const char *found = memmem(b, n, mark, sizeof mark - 1);
        if (found && found + sizeof mark - 1 + 16 <= (const char *)b + n) {
            pthread_mutex_lock(&turn);
            note('a', 0, 0, found + sizeof mark - 1, 16);
            pthread_mutex_unlock(&turn);
        }
    }
    return REAL(send)(fd, b, n, flags);
}
