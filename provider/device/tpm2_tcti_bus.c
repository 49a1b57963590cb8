/* SPDX-License-Identifier: Apache-2.0 */
/* As much of D-Bus as it takes to ask a service for a socket. */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "provider/device/tpm2_tcti_bus.h"
#include "provider/err.h"

#define PATIENCE 25       /* seconds, for all of it */
#define MESSAGE_MAX 65536 /* bytes that are taken of one message */
#define FIXED 16          /* of which every message has so many first */
#define ASK_SERIAL 2

static int give_up(const char *what)
{
    return hwk_raise(HWK_R_NO_DEVICE, "D-Bus: %s", what);
}

/* --- where the bus is --- */

static const char *address_of(bool session)
{
    return secure_getenv(session ? "DBUS_SESSION_BUS_ADDRESS"
                                 : "DBUS_SYSTEM_BUS_ADDRESS");
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *p = strchr(digits, c | 0x20);
    return c && p ? (int)(p - digits) : -1;
}

/* %2f and the like; up to a comma or semicolon. Its length, 0 if none. */
static size_t unescape(const char *from, char *to, size_t room)
{
    size_t n = 0;
    for (; *from && *from != ',' && *from != ';'; from++, n++) {
        if (n >= room)
            return 0;
        if (*from != '%') {
            to[n] = *from;
            continue;
        }
        int high = hex_digit(from[1]);
        int low = high < 0 ? -1 : hex_digit(from[2]);
        if (low < 0)
            return 0;
        to[n] = (char)(high << 4 | low);
        from += 2;
    }
    return n;
}

/* The length of the address, 0 when it is none. What is after the first of
 * several, and its guid, is nothing to us. */
static socklen_t parse(const char *text, struct sockaddr_un *out)
{
    static const char path[] = "unix:path=", abstract[] = "unix:abstract=";
    bool hidden = strncmp(text, abstract, sizeof(abstract) - 1) == 0;
    if (!hidden && strncmp(text, path, sizeof(path) - 1) != 0)
        return 0;
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    size_t n =
        unescape(text + (hidden ? sizeof(abstract) : sizeof(path)) - 1,
                 out->sun_path + hidden, sizeof(out->sun_path) - hidden - 1);
    return n ? (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n + 1) : 0;
}

static socklen_t locate(bool session, struct sockaddr_un *out)
{
    const char *text = address_of(session);
    const char *runtime = session ? secure_getenv("XDG_RUNTIME_DIR") : NULL;
    char usual[sizeof(out->sun_path) + 20];
    if (text)
        return parse(text, out);
    int n = session ? snprintf(usual, sizeof(usual), "unix:path=%s/bus",
                               runtime ? runtime : "")
                    : snprintf(usual, sizeof(usual),
                               "unix:path=/run/dbus/system_bus_socket");
    return (session && !runtime) || n < 0 || n >= (int)sizeof(usual)
               ? 0
               : parse(usual, out);
}

bool hwk_bus_plain(bool session)
{
    struct sockaddr_un address;
    return locate(session, &address) != 0;
}

/* --- the line --- */

struct line {
    int fd;
    int got;       /* the descriptor that came, the last of several, or -1 */
    unsigned came; /* how many */
    struct timespec end;
};

/* what is left of the patience; 0 when nothing is */
static int limit(struct line *line)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = (line->end.tv_sec - now.tv_sec) * 1000 +
              (line->end.tv_nsec - now.tv_nsec) / 1000000;
    struct timeval left = {ms / 1000, ms % 1000 * 1000};
    return ms > 0 &&
           setsockopt(line->fd, SOL_SOCKET, SO_RCVTIMEO, &left, sizeof(left)) ==
               0 &&
           setsockopt(line->fd, SOL_SOCKET, SO_SNDTIMEO, &left, sizeof(left)) ==
               0;
}

static int dial(struct line *line, bool session)
{
    struct sockaddr_un to;
    socklen_t n = locate(session, &to);
    line->fd = n ? socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;
    clock_gettime(CLOCK_MONOTONIC, &line->end);
    line->end.tv_sec += PATIENCE;
    if (line->fd < 0 || !limit(line))
        return give_up("no socket");
    if (connect(line->fd, (struct sockaddr *)&to, n) == 0)
        return 1;
    return hwk_raise(HWK_R_NO_DEVICE, "D-Bus: %s bus: %s",
                     session ? "session" : "system", strerror(errno));
}

static int put(struct line *line, const void *data, size_t n)
{
    const char *p = data;
    while (n) {
        ssize_t k =
            limit(line) ? send(line->fd, p, n, MSG_NOSIGNAL) : (ssize_t)-1;
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return give_up("the bus takes nothing");
        p += k;
        n -= (size_t)k;
    }
    return 1;
}

static void keep_descriptors(struct line *line, struct msghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t at = CMSG_LEN(0); at + sizeof(int) <= c->cmsg_len;
             at += sizeof(int)) {
            if (line->got >= 0)
                close(line->got);
            memcpy(&line->got, (char *)c + at, sizeof(int));
            line->came++;
        }
    }
}

/* exactly n bytes, and the descriptors that come with them */
static int get(struct line *line, void *out, size_t n)
{
    char *p = out;
    while (n) {
        union {
            struct cmsghdr align;
            char room[CMSG_SPACE(4 * sizeof(int))];
        } control;
        struct iovec v = {p, n};
        struct msghdr m = {.msg_iov = &v,
                           .msg_iovlen = 1,
                           .msg_control = &control,
                           .msg_controllen = sizeof(control)};
        ssize_t k =
            limit(line) ? recvmsg(line->fd, &m, MSG_CMSG_CLOEXEC) : (ssize_t)-1;
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return give_up("no answer");
        keep_descriptors(line, &m);
        p += k;
        n -= (size_t)k;
    }
    return 1;
}

/* --- who we are: the kernel says it, and that we take descriptors --- */

static int expect(struct line *line, const char *word)
{
    char text[128];
    size_t n = 0;
    while (n < sizeof(text) && get(line, text + n, 1))
        if (text[n++] == '\n')
            return strncmp(text, word, strlen(word)) == 0
                       ? 1
                       : give_up("the bus does not let us in");
    return give_up("no answer");
}

static int introduce(struct line *line)
{
    char uid[24], text[80] = "AUTH EXTERNAL ";
    snprintf(uid, sizeof(uid), "%lu", (unsigned long)geteuid());
    size_t n = strlen(text);
    for (const char *p = uid; *p; p++, n += 2)
        snprintf(text + n, sizeof(text) - n, "%02x", (unsigned)*p);
    n += (size_t)snprintf(text + n, sizeof(text) - n, "\r\n");
    return put(line, "", 1) && put(line, text, n) && expect(line, "OK ") &&
           put(line, "NEGOTIATE_UNIX_FD\r\n", 19) &&
           expect(line, "AGREE_UNIX_FD") && put(line, "BEGIN\r\n", 7);
}

/* --- messages, in this machine's order of bytes --- */

struct writer {
    uint8_t data[512];
    size_t n;
    bool full;
};

static void add(struct writer *w, const void *p, size_t n)
{
    if (n > sizeof(w->data) - w->n) {
        w->full = true;
        return;
    }
    memcpy(w->data + w->n, p, n);
    w->n += n;
}

static void align(struct writer *w, size_t to)
{
    while (w->n % to && !w->full)
        add(w, "", 1);
}

static void add_u32(struct writer *w, uint32_t v)
{
    align(w, 4);
    add(w, &v, 4);
}

/* a field of the header whose value is text: 'o' a path, 's' any other */
static void add_field(struct writer *w, uint8_t code, char type,
                      const char *text)
{
    const uint8_t head[4] = {code, 1, (uint8_t)type, 0};
    align(w, 8);
    add(w, head, 4);
    add_u32(w, (uint32_t)strlen(text));
    add(w, text, strlen(text) + 1);
}

static uint8_t order(void)
{
    const uint16_t one = 1;
    return *(const uint8_t *)&one ? 'l' : 'B';
}

static int send_call(struct line *line, const struct hwk_bus_call *call,
                     uint32_t serial)
{
    const uint8_t head[4] = {order(), 1 /* method call */, 0, 1};
    struct writer w = {.n = 0};
    add(&w, head, 4);
    add_u32(&w, 0); /* no body */
    add_u32(&w, serial);
    add_u32(&w, 0); /* the size of the fields: when it is known */
    size_t start = w.n;
    add_field(&w, 1, 'o', call->path);
    add_field(&w, 2, 's', call->interface);
    add_field(&w, 3, 's', call->member);
    add_field(&w, 6, 's', call->service);
    uint32_t size = (uint32_t)(w.n - start);
    memcpy(w.data + start - 4, &size, 4);
    align(&w, 8);
    return w.full ? give_up("a call too long") : put(line, w.data, w.n);
}

struct message {
    uint8_t *data; /* all of it but the fixed part */
    size_t fields, body_at, body;
    uint8_t type;
};

static int receive(struct line *line, struct message *m)
{
    uint8_t fixed[FIXED];
    uint32_t body, fields;
    if (!get(line, fixed, FIXED))
        return 0;
    memcpy(&body, fixed + 4, 4);
    memcpy(&fields, fixed + 12, 4);
    if (fixed[0] != order() || fixed[3] != 1 || fields > MESSAGE_MAX ||
        body > MESSAGE_MAX)
        return give_up("an answer that is no message");
    m->type = fixed[1];
    m->fields = fields;
    m->body_at = (fields + 7) & ~(size_t)7;
    m->body = body;
    m->data = malloc(m->body_at + m->body + 1);
    return m->data ? get(line, m->data, m->body_at + m->body)
                   : hwk_raise(HWK_R_MEMORY, "D-Bus");
}

/* the size of a value of that type at p[n], 0 when it is none we know */
static size_t value_size(char type, const uint8_t *p, size_t n)
{
    uint32_t len;
    if (type == 'g')
        return n > 0 && n - 1 > p[0] ? (size_t)p[0] + 2 : 0;
    if (n < 4)
        return 0;
    if (type == 'u')
        return 4;
    memcpy(&len, p, 4);
    return (type == 's' || type == 'o') && n - 4 > len ? (size_t)len + 5 : 0;
}

/* The value of a field of that code and type, NULL when there is none. All
 * that the header of an answer may have starts at multiples of four, as they
 * are in the message, but for signatures. */
static const uint8_t *field(const struct message *m, uint8_t code, char type)
{
    size_t at = 0;
    while (at + 4 <= m->fields) {
        const uint8_t *f = m->data + at;
        size_t n = value_size((char)f[2], f + 4, m->fields - at - 4);
        if (f[1] != 1 || n == 0)
            return NULL;
        if (f[0] == code && f[2] == (uint8_t)type)
            return f + 4;
        at = (at + 4 + n + 7) & ~(size_t)7;
    }
    return NULL;
}

static bool is_answer(const struct message *m)
{
    const uint8_t *serial = field(m, 5, 'u');
    uint32_t n = 0;
    if (serial)
        memcpy(&n, serial, 4);
    return (m->type == 2 || m->type == 3) && n == ASK_SERIAL;
}

static int judge(const struct line *line, const struct message *m)
{
    const uint8_t *name = field(m, 4, 's');
    if (m->type == 3)
        return hwk_raise(HWK_R_NO_DEVICE, "D-Bus: %s",
                         name ? (const char *)name + 4 : "an error");
    return line->came == 1 ? 1 : give_up("an answer without a socket");
}

static int await(struct line *line)
{
    for (;;) {
        struct message m = {NULL};
        int ok = receive(line, &m);
        bool done = !ok || is_answer(&m);
        if (ok && done)
            ok = judge(line, &m);
        free(m.data);
        if (done)
            return ok;
    }
}

int hwk_bus_socket(const struct hwk_bus_call *call)
{
    static const struct hwk_bus_call hello = {
        .service = "org.freedesktop.DBus",
        .path = "/org/freedesktop/DBus",
        .interface = "org.freedesktop.DBus",
        .member = "Hello",
    };
    struct line line = {.fd = -1, .got = -1};
    int ok = dial(&line, call->session) && introduce(&line) &&
             send_call(&line, &hello, ASK_SERIAL - 1) &&
             send_call(&line, call, ASK_SERIAL) && await(&line);
    if (line.fd >= 0)
        close(line.fd);
    if (!ok && line.got >= 0) {
        close(line.got);
        line.got = -1;
    }
    return line.got;
}
