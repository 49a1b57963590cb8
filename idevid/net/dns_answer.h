/* SPDX-License-Identifier: Apache-2.0 */
/* What a name server answers, read with distrust (RFC 1035, 2782, 6763). */
#ifndef IDEVID_NET_DNS_ANSWER_H
#define IDEVID_NET_DNS_ANSWER_H

#include <arpa/nameser.h>
#include <netinet/in.h>

#include <idevid/buf.h>

#define IDVI_DNS_RECORDS 16 /* read of one answer */
#define IDVI_DNS_UDP 1232   /* bytes of an answer; longer ones come by TCP */
#define IDVI_DNS_ALIASES 8  /* CNAMEs followed in one answer */

/* A name as it is on the wire: labels of at most 63 bytes, any bytes. */
struct idvi_name {
    uint8_t wire[NS_MAXCDNAME];
    size_t n;
};

/* "example.org", of letters, digits, '-' and '_'; the dot at the end may be
 * missing. IDV_E_FORMAT: it is none, or too long. */
idv_rc idvi_name_from_text(struct idv_bytes text,
                           struct idvi_name *out) IDV_CHECKED;
/* prefix, itself such a text, before name */
idv_rc idvi_name_within(const char *prefix, const struct idvi_name *name,
                        struct idvi_name *out) IDV_CHECKED;
bool idvi_name_eq(const struct idvi_name *a, const struct idvi_name *b);
/* The name of an instance of a service: one label, then the two of service
 * ("_brski-registrar._tcp"), then a domain. */
bool idvi_name_is_instance(const struct idvi_name *name, const char *service);
/* The text of a host's name, as RFC 1123 has it; false for another name, the
 * root, or one that does not fit. */
bool idvi_name_is_host(const struct idvi_name *name, char *text, size_t room);

struct idvi_record {
    struct idvi_name name;           /* PTR, SRV: of whom it speaks */
    uint16_t priority, weight, port; /* SRV */
    struct in6_addr address;         /* A (its first four bytes), AAAA */
};

struct idvi_answer {
    uint32_t ttl; /* seconds: the shortest on the way */
    size_t n;
    struct idvi_record at[IDVI_DNS_RECORDS];
};

/* A recursive query for name. */
idv_rc idvi_dns_query(const struct idvi_name *name, uint16_t type, uint16_t id,
                      struct idv_buf *out) IDV_CHECKED;
/*
 * The records of that name and type (PTR, SRV, A, AAAA), by way of CNAMEs; none
 * when the server says that there is no such name or no such record. Other
 * names' records, and those after IDVI_DNS_RECORDS, are passed over.
 * IDV_E_FORMAT: not a DNS answer, or one whose records are broken; IDV_E_NET:
 * the server cannot say; IDV_E_LIMIT: too many CNAMEs, or a loop of them.
 */
idv_rc idvi_dns_answer(struct idv_bytes message, const struct idvi_name *name,
                       uint16_t type, struct idvi_answer *out) IDV_CHECKED;

#endif
