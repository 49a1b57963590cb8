/* SPDX-License-Identifier: Apache-2.0 */
/* The debug log: one write a line, so that threads and processes can share the
 * file. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "provider/log.h"

#define LINE 1024

atomic_int hwk_log_now;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* begin and end */
static unsigned users;
static atomic_int log_fd = -1;
static struct stat log_file; /* what log_fd was opened on */
static char log_path[PATH_MAX];

/* --- life --- */

static int open_log(const char *path)
{
    int fd;

    if (strcmp(path, "stderr") == 0)
        return STDERR_FILENO;
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    if (fd >= 0 && fstat(fd, &log_file) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

void hwk_log_begin(const char *path, enum hwk_log_level level)
{
    int fd;

    pthread_mutex_lock(&lock);
    if (users++ == 0) {
        snprintf(log_path, sizeof(log_path), "%s", path);
        fd = open_log(log_path);
        atomic_store(&log_fd, fd);
        atomic_store(&hwk_log_now, fd >= 0 ? (int)level : HWK_LOG_OFF);
    }
    pthread_mutex_unlock(&lock);
}

/* a daemon closes descriptors that it does not know, and the number may be a
 * connection of its own by now */
static bool still_ours(int fd)
{
    struct stat now;

    return fd == STDERR_FILENO ||
           (fstat(fd, &now) == 0 && now.st_dev == log_file.st_dev &&
            now.st_ino == log_file.st_ino);
}

/* the descriptor to write to; -1: none, now or for good */
static int ready_fd(void)
{
    int fd = atomic_load(&log_fd);

    if (fd < 0 || still_ours(fd))
        return fd;
    if (pthread_mutex_trylock(&lock) != 0)
        return -1;
    fd = users > 0 && log_path[0] == '/' ? open_log(log_path) : -1;
    atomic_store(&log_fd, fd);
    if (fd < 0)
        atomic_store(&hwk_log_now, HWK_LOG_OFF);
    pthread_mutex_unlock(&lock);
    return fd;
}

void hwk_log_end(void)
{
    int fd;

    pthread_mutex_lock(&lock);
    if (--users == 0) {
        atomic_store(&hwk_log_now, HWK_LOG_OFF);
        fd = atomic_exchange(&log_fd, -1);
        if (fd > STDERR_FILENO && still_ours(fd))
            close(fd);
    }
    pthread_mutex_unlock(&lock);
}

void hwk_log_forked(void)
{
    pthread_mutex_init(&lock, NULL);
}

/* --- lines --- */

struct line {
    char p[LINE];
    size_t n;
};

static void put(struct line *l, const char *s, size_t n)
{
    size_t room =
        sizeof(l->p) - 1 - l->n; /* the end of the line has its place */

    n = n < room ? n : room;
    memcpy(l->p + l->n, s, n);
    l->n += n;
}

static bool plain(const char *s)
{
    return *s != 0 &&
           s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                       "0123456789._/:+-@")] == 0;
}

/* labels come from tokens: they must not make lines of their own */
static void put_quoted(struct line *l, const char *s)
{
    char hex[5];

    put(l, "\"", 1);
    for (; *s != 0; s++) {
        unsigned char c = (unsigned char)*s;

        if (c >= ' ' && c < 0x7f && c != '"' && c != '\\') {
            put(l, s, 1);
            continue;
        }
        snprintf(hex, sizeof(hex), "\\x%02x", c);
        put(l, hex, 4);
    }
    put(l, "\"", 1);
}

static void put_pair(struct line *l, const char *name, const char *value)
{
    if (value == NULL)
        return;
    put(l, " ", 1);
    put(l, name, strlen(name));
    put(l, "=", 1);
    if (plain(value))
        put(l, value, strlen(value));
    else
        put_quoted(l, value);
}

static void put_who(struct line *l)
{
    struct timespec now;
    struct tm tm;
    char text[96];
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(text, sizeof(text), " time=%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof(text) - n, ".%03ldZ pid=%ld tid=%ld",
             now.tv_nsec / 1000000, (long)getpid(), syscall(SYS_gettid));
    put(l, text, strlen(text));
}

static void write_line(struct line *l)
{
    int fd = ready_fd();

    l->p[l->n++] = '\n';
    if (fd >= 0 && write(fd, l->p, l->n) < 0 && errno != EINTR &&
        errno != EAGAIN)
        atomic_store(&hwk_log_now, HWK_LOG_OFF);
}

void hwk_log_line(const char *event, ...)
{
    struct line l = {.n = 0};
    const char *name;
    int saved = errno;
    va_list args;

    put(&l, event, strlen(event));
    put_who(&l);
    va_start(args, event);
    while ((name = va_arg(args, const char *)) != NULL)
        put_pair(&l, name, va_arg(args, const char *));
    va_end(args);
    write_line(&l);
    errno = saved;
}
