/* SPDX-License-Identifier: Apache-2.0 */
/* Somebody on the bus between a program and its TPM. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/hmac.h>
#include <openssl/sha.h>

#include "bus.h"

#define HEADER 10

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, path, strnlen(path, sizeof(a.sun_path) - 1));
    return a;
}

/* --- messages --- */

static bool get(int fd, uint8_t *p, size_t n)
{
    for (ssize_t got; n > 0; p += got, n -= (size_t)got)
        if ((got = read(fd, p, n)) <= 0)
            return false;
    return true;
}

static bool receive(int fd, uint8_t *p, size_t *n)
{
    if (!get(fd, p, HEADER))
        return false;
    *n = get32(p + 2);
    return *n >= HEADER && *n <= BUS_MESSAGE_MAX &&
           get(fd, p + HEADER, *n - HEADER);
}

/* one that says it is longer or shorter than it is ends what is said */
static bool pass_on(int fd, const uint8_t *p, size_t n)
{
    if (send(fd, p, n, MSG_NOSIGNAL) != (ssize_t)n)
        return false;
    if (n < HEADER || get32(p + 2) != n)
        shutdown(fd, SHUT_WR);
    return true;
}

static void hear(struct bus_talk *talk, const uint8_t *p, size_t n)
{
    if (n > BUS_HEARD_MAX - talk->heard_n)
        return;
    memcpy(talk->heard + talk->heard_n, p, n);
    talk->heard_n += n;
}

static void keep(struct bus_talk *talk, uint32_t code, const uint8_t *p,
                 size_t n)
{
    if (!talk->learn || talk->kept_n == BUS_KEPT_N || n > BUS_KEPT_MAX)
        return;
    struct bus_kept *k = &talk->kept[talk->kept_n++];
    *k = (struct bus_kept){.code = code, .asked = talk->asked, .n = n};
    memcpy(k->p, p, n);
}

/* what the TPM says to p[*n], n 0 when it is not asked */
static bool ask(struct bus_talk *talk, int tpm, uint32_t code, uint8_t *p,
                size_t *n)
{
    uint8_t again[BUS_MESSAGE_MAX];
    const size_t size = *n;
    memcpy(again, p, size);
    if (size > 0 && (!pass_on(tpm, p, size) || !receive(tpm, p, n)))
        return false;
    if (size > 0 && talk->twice &&
        (!pass_on(tpm, again, size) || !receive(tpm, p, n)))
        return false;
    talk->twice = false;
    hear(talk, p, *n);
    keep(talk, code, p, *n);
    return true;
}

static bool exchange(struct bus_talk *talk, bus_fn *fn, int program, int tpm)
{
    uint8_t p[BUS_MESSAGE_MAX];
    size_t n;
    if (!receive(program, p, &n))
        return false;
    uint32_t code = get32(p + 6);
    talk->asked = n >= HEADER + 4 ? get32(p + HEADER) : 0;
    talk->count++;
    memcpy(talk->command, p, talk->command_n = n);
    hear(talk, p, n);
    fn(talk, false, code, p, &n);
    if (!ask(talk, tpm, code, p, &n))
        return false;
    fn(talk, true, code, p, &n);
    return n > 0 && pass_on(program, p, n);
}

static void serve(struct bus_talk *talk, bus_fn *fn, int listening,
                  const char *socket_path)
{
    struct sockaddr_un to = address(socket_path);
    for (;;) {
        int program = accept(listening, NULL, NULL);
        int tpm = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (program < 0 || tpm < 0)
            _exit(1);
        if (connect(tpm, (struct sockaddr *)&to, sizeof(to)) == 0)
            while (exchange(talk, fn, program, tpm))
                ;
        close(tpm);
        close(program);
    }
}

static void listen_only(struct bus_talk *talk, bool answer, uint32_t code,
                        uint8_t *p, size_t *n)
{
    (void)talk;
    (void)answer;
    (void)code;
    (void)p;
    (void)n;
}

/* --- its life --- */

static int wrong(struct bus *bus, const char *what)
{
    perror(what);
    bus_stop(bus);
    return -1;
}

int bus_start(struct bus *bus, const char *socket_path, bus_fn *fn)
{
    char path[128], ctrl[160], real[160];
    const char *tmp = getenv("TMPDIR");
    memset(bus, 0, sizeof(*bus));
    snprintf(bus->dir, sizeof(bus->dir), "%s/bus-XXXXXX",
             tmp && strlen(tmp) < 60 ? tmp : "/tmp");
    if (!mkdtemp(bus->dir))
        return wrong(bus, bus->dir);
    snprintf(path, sizeof(path), "%s/sock", bus->dir);
    snprintf(ctrl, sizeof(ctrl), "%s.ctrl", path);
    snprintf(real, sizeof(real), "%s.ctrl", socket_path);
    snprintf(bus->tcti, sizeof(bus->tcti), "swtpm:path=%s", path);
    bus->talk = mmap(NULL, sizeof(*bus->talk), PROT_READ | PROT_WRITE,
                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (bus->talk == MAP_FAILED || symlink(real, ctrl))
        return wrong(bus, bus->dir);
    struct sockaddr_un at = address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) ||
        listen(fd, 16))
        return wrong(bus, path);
    bus->pid = fork();
    if (bus->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        serve(bus->talk, fn ? fn : listen_only, fd, socket_path);
    }
    close(fd);
    return bus->pid > 0 ? 0 : wrong(bus, "fork");
}

void bus_stop(struct bus *bus)
{
    char path[160];
    if (bus->pid > 0) {
        kill(bus->pid, SIGKILL);
        waitpid(bus->pid, NULL, 0);
    }
    if (bus->talk && bus->talk != MAP_FAILED)
        munmap(bus->talk, sizeof(*bus->talk));
    snprintf(path, sizeof(path), "%s/sock", bus->dir);
    unlink(path);
    snprintf(path, sizeof(path), "%s/sock.ctrl", bus->dir);
    unlink(path);
    rmdir(bus->dir);
    memset(bus, 0, sizeof(*bus));
}

bool bus_heard(const struct bus *bus, const void *p, size_t n)
{
    const struct bus_talk *t = bus->talk;
    for (size_t i = 0; n <= t->heard_n && i <= t->heard_n - n; i++)
        if (memcmp(t->heard + i, p, n) == 0)
            return true;
    return false;
}

/* --- what is done there --- */

void bus_alter_byte(struct bus_talk *talk, bool answer, uint32_t code,
                    uint8_t *p, size_t *n)
{
    if (code != talk->code || answer != talk->answer)
        return;
    talk->last = *n;
    if (talk->flip && talk->at < *n) {
        p[talk->at] ^= talk->flip;
        talk->struck++;
    }
}

void bus_replace(struct bus_talk *talk, bool answer, uint32_t code, uint8_t *p,
                 size_t *n)
{
    if (!answer || code != talk->code || talk->asked != talk->handle)
        return;
    memcpy(p, talk->instead, talk->instead_n);
    *n = talk->instead_n;
    talk->struck++;
}

/* Part 1, 18.7: of rpHash, both nonces and the attributes */
static void keyless_hmac(const struct bus_talk *talk, uint32_t code,
                         const uint8_t nonce[static 32], uint8_t *out)
{
    const size_t theirs = HEADER + 8 + 4 + 4 + 2; /* after handles and sizes */
    uint8_t said[8] = {0}, text[32 + 32 + 32 + 1] = {0};
    put32(said + 4, code);
    SHA256(said, sizeof(said), text);
    memcpy(text + 32, nonce, 32);
    memcpy(text + 64, talk->command + theirs, 32);
    HMAC(EVP_sha256(), "", 0, text, sizeof(text), out, NULL);
}

void bus_pretend(struct bus_talk *talk, bool answer, uint32_t code, uint8_t *p,
                 size_t *n)
{
    enum { NONCE = HEADER + 4 + 2, MAC = NONCE + 32 + 1 + 2, ALL = MAC + 32 };
    if (code != talk->code || talk->asked != talk->handle)
        return;
    *n = 0;
    if (!answer || talk->command_n < HEADER + 18 + 32)
        return;
    memset(p, 0, ALL);
    memcpy(p, (uint8_t[6]){0x80, 0x02, 0, 0, 0, ALL}, 6);
    p[NONCE - 1] = p[MAC - 1] = 32;
    memset(p + NONCE, 0x5a, 32);
    keyless_hmac(talk, code, p + NONCE, p + MAC);
    *n = ALL;
    talk->struck++;
}

/* an answer without handles: header, size of the parameters, these, sessions */
void bus_strip(struct bus_talk *talk, bool answer, uint32_t code, uint8_t *p,
               size_t *n)
{
    if (!answer || code != talk->code || *n < HEADER + 4 || p[1] != 2)
        return;
    size_t size = get32(p + HEADER);
    if (size > *n - HEADER - 4)
        return;
    memmove(p + HEADER, p + HEADER + 4, size);
    *n = HEADER + size;
    p[1] = 1;
    put32(p + 2, (uint32_t)*n);
    talk->struck++;
}
