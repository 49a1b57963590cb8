/* SPDX-License-Identifier: Apache-2.0 */
/* Stands before a software TPM and counts the signatures that all processes
 * together ask of it. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define HEADER 10
#define SIGN 0x15d /* TPM2_CC_Sign */
#define MESSAGE_MAX 4096

static const char usage[] =
    "usage: tpm_tally SOCKET TPM FILE\n"
    "\n"
    "Gives who connects to SOCKET the TPM whose socket is TPM, one after the\n"
    "other; FILE gets a byte for each TPM2_Sign. Says \"ready\" when it is.\n";

static int address(struct sockaddr_un *a, const char *path)
{
    *a = (struct sockaddr_un){.sun_family = AF_UNIX};
    return snprintf(a->sun_path, sizeof(a->sun_path), "%s", path) <
           (int)sizeof(a->sun_path);
}

static int listen_at(const char *path)
{
    struct sockaddr_un a;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || !address(&a, path) ||
        bind(fd, (struct sockaddr *)&a, sizeof(a)) != 0 ||
        chmod(path, 0666) != 0 || listen(fd, 128) != 0)
        return -1;
    return fd;
}

static int connect_to(const char *path)
{
    struct sockaddr_un a;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && address(&a, path) &&
        connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return -1;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 |
           p[3];
}

static int take(int fd, uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t k = read(fd, p, n);

        if (k <= 0)
            return 0;
        p += k;
        n -= (size_t)k;
    }
    return 1;
}

/* a command or a response; its size, 0 when there is none */
static size_t message(int fd, uint8_t buf[MESSAGE_MAX])
{
    size_t n;

    if (!take(fd, buf, HEADER))
        return 0;
    n = get32(buf + 2);
    return n >= HEADER && n <= MESSAGE_MAX && take(fd, buf + HEADER, n - HEADER)
               ? n
               : 0;
}

static int pass(int fd, const uint8_t *p, size_t n)
{
    return send(fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

/* as long as both ends are there */
static void serve(int client, int tpm, FILE *tally)
{
    uint8_t buf[MESSAGE_MAX];
    size_t n;

    while ((n = message(client, buf)) > 0) {
        uint32_t command = get32(buf + 6);

        if (!pass(tpm, buf, n) || (n = message(tpm, buf)) == 0)
            return;
        if (command == SIGN && get32(buf + 6) == 0) {
            fputc('s', tally);
            fflush(tally);
        }
        if (!pass(client, buf, n))
            return;
    }
}

int main(int argc, char **argv)
{
    FILE *tally = argc == 4 ? fopen(argv[3], "a") : NULL;
    int fd = tally != NULL ? listen_at(argv[1]) : -1;

    if (fd < 0) {
        fputs(usage, stderr);
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    puts("ready");
    fflush(stdout);
    for (;;) {
        int client = accept(fd, NULL, NULL), tpm;

        if (client < 0)
            continue;
        tpm = connect_to(argv[2]);
        if (tpm >= 0)
            serve(client, tpm, tally);
        close(client);
        if (tpm >= 0)
            close(tpm);
    }
}
