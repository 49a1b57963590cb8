/* SPDX-License-Identifier: Apache-2.0 */
/* DNS messages as servers send them, right and wrong. */
#ifndef TESTS_DNS_MESSAGE_H
#define TESTS_DNS_MESSAGE_H

#include "codec.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <idevid/discover.h>

#include "net/dns_answer.h"
#include "net/dnssd.h"
#include "net/dnssd_order.h"

#define SERVICE "_brski-registrar._tcp"

/* --- messages ----------------------------------------------------------- */

struct message {
    uint8_t p[4096];
    size_t n;
};

static inline void put(struct message *m, const void *p, size_t n)
{
    assert_true(n <= sizeof(m->p) - m->n);
    memcpy(m->p + m->n, p, n);
    m->n += n;
}

static inline void put16(struct message *m, unsigned v)
{
    put(m, (const uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static const char *asked = ""; /* in a reply: the name at its place 12 */

/* labels parted by '|', which a name cannot have */
static inline void put_name(struct message *m, const char *name)
{
    while (*name) {
        size_t n = strcspn(name, "|");
        put(m, &(uint8_t){(uint8_t)n}, 1);
        put(m, name, n);
        name += n + (name[n] == '|');
    }
    put(m, "", 1);
}

static inline void begin(struct message *m, unsigned rcode)
{
    static const uint8_t head[12] = {0x12, 0x34, 0x81, 0x80};
    m->n = 0;
    put(m, head, sizeof(head));
    m->p[3] |= (uint8_t)rcode;
}

/* a record of the answer: what it is of, and what it says */
static inline void begin_record(struct message *m, const char *owner,
                                unsigned type, uint32_t ttl, size_t *length)
{
    if (strcmp(owner, asked) == 0)
        put16(m, 0xc00c);
    else
        put_name(m, owner);
    put16(m, type);
    put16(m, ns_c_in);
    put16(m, ttl >> 16);
    put16(m, ttl & 0xffff);
    *length = m->n;
    put16(m, 0);
    m->p[7]++;
}

static inline void end_record(struct message *m, size_t length)
{
    m->p[length] = (uint8_t)((m->n - length - 2) >> 8);
    m->p[length + 1] = (uint8_t)(m->n - length - 2);
}

static inline void add_name(struct message *m, const char *owner, unsigned type,
                            uint32_t ttl, const char *name)
{
    size_t length;
    begin_record(m, owner, type, ttl, &length);
    put_name(m, name);
    end_record(m, length);
}

static inline void add_srv(struct message *m, const char *owner,
                           unsigned priority, unsigned weight, unsigned port,
                           const char *host)
{
    size_t length;
    begin_record(m, owner, ns_t_srv, 300, &length);
    put16(m, priority);
    put16(m, weight);
    put16(m, port);
    put_name(m, host);
    end_record(m, length);
}

static inline void add_address(struct message *m, const char *owner,
                               const char *text)
{
    uint8_t a[16];
    size_t length;
    bool v6 = strchr(text, ':');
    assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, a), 1);
    begin_record(m, owner, v6 ? ns_t_aaaa : ns_t_a, 120, &length);
    put(m, a, v6 ? 16 : 4);
    end_record(m, length);
}

#endif
