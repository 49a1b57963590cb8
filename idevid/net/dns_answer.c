/* SPDX-License-Identifier: Apache-2.0 */
/* DNS names, queries and answers; libc takes the records apart. */
#include "net/dns_answer.h"

#include <string.h>

/* --- names -------------------------------------------------------------- */

static bool is_word(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 'a' - 'A') : c;
}

static idv_rc add_label(struct idvi_name *n, struct idv_bytes label)
{
    bool good = label.n > 0 && label.n <= NS_MAXLABEL &&
                label.n + 2 <= sizeof(n->wire) - n->n; /* and the root */
    for (size_t i = 0; good && i < label.n; i++)
        good = is_word(label.p[i]);
    if (!good)
        return idv_fail(IDV_E_FORMAT, "DNS: not the name of a domain");
    n->wire[n->n++] = (uint8_t)label.n;
    memcpy(n->wire + n->n, label.p, label.n);
    n->n += label.n;
    return IDV_OK;
}

static idv_rc add_text(struct idvi_name *n, struct idv_bytes text)
{
    if (text.n > 0 && text.p[text.n - 1] == '.')
        text.n--;
    do {
        const uint8_t *dot = text.n ? memchr(text.p, '.', text.n) : NULL;
        size_t label = dot ? (size_t)(dot - text.p) : text.n;
        IDV_TRY(add_label(n, idv_bytes(text.p, label)));
        if (!dot)
            return IDV_OK;
        text.p += label + 1;
        text.n -= label + 1;
    } while (true);
}

idv_rc idvi_name_from_text(struct idv_bytes text, struct idvi_name *out)
{
    struct idvi_name n = {.n = 0};
    IDV_TRY(add_text(&n, text));
    n.wire[n.n++] = 0;
    *out = n;
    return IDV_OK;
}

idv_rc idvi_name_within(const char *prefix, const struct idvi_name *name,
                        struct idvi_name *out)
{
    struct idvi_name n = {.n = 0};
    IDV_TRY(add_text(&n, idv_str(prefix)));
    if (name->n > sizeof(n.wire) - n.n)
        return idv_fail(IDV_E_FORMAT, "DNS: a name is too long");
    memcpy(n.wire + n.n, name->wire, name->n);
    n.n += name->n;
    *out = n;
    return IDV_OK;
}

/* (a label's length is below 'A') */
bool idvi_name_eq(const struct idvi_name *a, const struct idvi_name *b)
{
    bool eq = a->n == b->n;
    for (size_t i = 0; eq && i < a->n; i++)
        eq = lower(a->wire[i]) == lower(b->wire[i]);
    return eq;
}

bool idvi_name_is_instance(const struct idvi_name *name, const char *service)
{
    struct idvi_name of = {.n = 0}, part = {.n = 0};
    size_t skip = (size_t)name->wire[0] + 1;
    if (name->n == 0 || name->wire[0] == 0 || add_text(&of, idv_str(service)))
        return false;
    if (name->n < skip + of.n + 2) /* and a domain */
        return false;
    part.n = of.n;
    memcpy(part.wire, name->wire + skip, part.n);
    return idvi_name_eq(&part, &of);
}

bool idvi_name_is_host(const struct idvi_name *name, char *text, size_t room)
{
    size_t to = 0;
    for (size_t at = 0; at < name->n && name->wire[at];) {
        size_t n = name->wire[at++];
        const uint8_t *label = name->wire + at;
        if (n + 2 > room - to || label[0] == '-' || label[n - 1] == '-')
            return false;
        for (size_t i = 0; i < n; i++) {
            if (!is_word(label[i]) || label[i] == '_')
                return false;
        }
        memcpy(text + to, label, n);
        to += n;
        text[to++] = '.';
        at += n;
    }
    if (to == 0)
        return false;
    text[to - 1] = '\0';
    return true;
}

/* --- queries ------------------------------------------------------------ */

idv_rc idvi_dns_query(const struct idvi_name *name, uint16_t type, uint16_t id,
                      struct idv_buf *out)
{
    const uint8_t head[NS_HFIXEDSZ] = {
        [0] = (uint8_t)(id >> 8),
        [1] = (uint8_t)id,
        [2] = 1,  /* recursion desired */
        [5] = 1,  /* one question */
        [11] = 1, /* and what we can take: RFC 6891 */
    };
    const uint8_t tail[NS_QFIXEDSZ + 1 + NS_RRFIXEDSZ] = {
        [0] = (uint8_t)(type >> 8),
        [1] = (uint8_t)type,
        [3] = ns_c_in,
        [6] = ns_t_opt,
        [7] = IDVI_DNS_UDP >> 8,
        [8] = IDVI_DNS_UDP & 0xff,
    };
    IDV_TRY(idv_buf_put(out, idv_bytes(head, sizeof(head))));
    IDV_TRY(idv_buf_put(out, idv_bytes(name->wire, name->n)));
    return idv_buf_put(out, idv_bytes(tail, sizeof(tail)));
}

/* --- answers ------------------------------------------------------------ */

static idv_rc broken(void)
{
    return idv_fail(IDV_E_FORMAT, "DNS: an answer is broken");
}

static idv_rc unpack(const ns_msg *m, const uint8_t *at, const uint8_t *end,
                     struct idvi_name *out)
{
    struct idvi_name n = {.n = 0};
    int used = ns_name_unpack(ns_msg_base(*m), ns_msg_end(*m), at, n.wire,
                              sizeof(n.wire));
    if (used < 0 || used > end - at)
        return broken();
    while (n.wire[n.n])
        n.n += (size_t)n.wire[n.n] + 1;
    n.n++;
    *out = n;
    return IDV_OK;
}

static idv_rc owner(const ns_rr *rr, struct idvi_name *out)
{
    struct idvi_name n = {.n = 0};
    if (ns_name_pton(ns_rr_name(*rr), n.wire, sizeof(n.wire)) < 0)
        return broken();
    while (n.wire[n.n])
        n.n += (size_t)n.wire[n.n] + 1;
    n.n++;
    *out = n;
    return IDV_OK;
}

/* the next record of name and type from *i on; *i behind the last: none */
static idv_rc next(ns_msg *m, const struct idvi_name *name, uint16_t type,
                   int *i, ns_rr *rr)
{
    struct idvi_name whose;
    for (; *i < ns_msg_count(*m, ns_s_an); ++*i) {
        if (ns_parserr(m, ns_s_an, *i, rr) != 0)
            return broken();
        if (ns_rr_type(*rr) != type || ns_rr_class(*rr) != ns_c_in)
            continue;
        IDV_TRY(owner(rr, &whose));
        if (idvi_name_eq(&whose, name))
            break;
    }
    return IDV_OK;
}

static idv_rc take(const ns_msg *m, const ns_rr *rr, struct idvi_record *r)
{
    const uint8_t *p = ns_rr_rdata(*rr);
    size_t n = ns_rr_rdlen(*rr);
    memset(r, 0, sizeof(*r));
    switch (ns_rr_type(*rr)) {
    case ns_t_a:
    case ns_t_aaaa:
        if (n != (ns_rr_type(*rr) == ns_t_a ? 4 : 16))
            return broken();
        memcpy(&r->address, p, n);
        return IDV_OK;
    case ns_t_srv:
        if (n < 7)
            return broken();
        r->priority = (uint16_t)ns_get16(p);
        r->weight = (uint16_t)ns_get16(p + 2);
        r->port = (uint16_t)ns_get16(p + 4);
        return unpack(m, p + 6, p + n, &r->name);
    default: /* PTR, CNAME */
        return unpack(m, p, p + n, &r->name);
    }
}

static void shorten(uint32_t *ttl, const ns_rr *rr)
{
    uint32_t t = ns_rr_ttl(*rr) > INT32_MAX ? 0 : ns_rr_ttl(*rr);
    if (t < *ttl)
        *ttl = t;
}

/* name becomes what it is an alias of, as far as this answer says */
static idv_rc follow(ns_msg *m, struct idvi_name *name, uint32_t *ttl)
{
    for (int hops = 0; hops <= IDVI_DNS_ALIASES; hops++) {
        struct idvi_record r;
        ns_rr rr;
        int i = 0;
        IDV_TRY(next(m, name, ns_t_cname, &i, &rr));
        if (i == ns_msg_count(*m, ns_s_an))
            return IDV_OK;
        IDV_TRY(take(m, &rr, &r));
        shorten(ttl, &rr);
        *name = r.name;
    }
    return idv_fail(IDV_E_LIMIT, "DNS: too many aliases, or a loop");
}

/* whether there is something to read */
static idv_rc outcome(ns_msg *m, bool *any)
{
    int rcode = (int)ns_msg_getflag(*m, ns_f_rcode);
    if (!ns_msg_getflag(*m, ns_f_qr))
        return broken();
    if (rcode != ns_r_noerror && rcode != ns_r_nxdomain)
        return idv_fail(IDV_E_NET, "DNS: the server says error %d", rcode);
    *any = rcode == ns_r_noerror;
    return IDV_OK;
}

idv_rc idvi_dns_answer(struct idv_bytes message, const struct idvi_name *name,
                       uint16_t type, struct idvi_answer *out)
{
    struct idvi_name whose = *name;
    ns_msg m;
    ns_rr rr;
    bool any = false;
    out->n = 0;
    out->ttl = INT32_MAX;
    if (message.n > NS_MAXMSG ||
        ns_initparse(message.p, (int)message.n, &m) != 0)
        return broken();
    IDV_TRY(outcome(&m, &any));
    if (!any)
        return IDV_OK;
    IDV_TRY(follow(&m, &whose, &out->ttl));
    for (int i = 0; out->n < IDVI_DNS_RECORDS; i++) {
        IDV_TRY(next(&m, &whose, type, &i, &rr));
        if (i == ns_msg_count(m, ns_s_an))
            return IDV_OK;
        IDV_TRY(take(&m, &rr, &out->at[out->n]));
        shorten(&out->ttl, &rr);
        out->n++;
    }
    return IDV_OK;
}
