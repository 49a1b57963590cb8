/* SPDX-License-Identifier: Apache-2.0 */
/* From the pinned CA to the domain's newest, each signed over by the last. */
#ifndef IDEVID_TRUST_ROLLOVER_H
#define IDEVID_TRUST_ROLLOVER_H

#include <idevid/trust.h>

/*
 * A root CA key update as RFC 4210 section 4.4 has it and EST delivers it (RFC
 * 7030 section 4.1.3), once or several times in a row: roots[i] is the new
 * CA's own certificate (NewWithNew), crosses[i] the same name and key signed by
 * the CA before it (NewWithOld): by the pinned one for i = 0. What is signed
 * over is the whole authority, so a cross certificate that limits it (pathLen,
 * nameConstraints) is no link. OldWithOld and OldWithNew prove nothing here:
 * anybody can make a new CA that signs for the old one's key.
 */
#define IDVI_ROLLOVER_MAX 16
struct idvi_rollover {
    STACK_OF(X509) * crosses, *roots; /* both NULL: none */
};
void idvi_rollover_free(struct idvi_rollover *r);
int idvi_rollover_count(const struct idvi_rollover *r);
/* The same certificates once more. */
idv_rc idvi_rollover_dup(const struct idvi_rollover *from,
                         struct idvi_rollover *to) IDV_CHECKED;

/* Only a CA certificate has a key that can sign over to the next: an end
 * entity, or a key (pin NULL), cannot. */
bool idvi_rollover_possible(const X509 *pin);

/*
 * Goes from the newest of r on as far as the certificates of a and b (either
 * may be NULL) lead. *added says how far. With check_time the two of
 * each new link must be in force now; those that r has already were when they
 * came, and an old CA's certificate ends before the newest one's does.
 * IDV_E_LIMIT: more than IDVI_ROLLOVER_MAX in all. On failure r is as it was.
 */
idv_rc idvi_rollover_learn(struct idvi_rollover *r, const X509 *pin,
                           const STACK_OF(X509) * a, const STACK_OF(X509) * b,
                           bool check_time, int64_t now,
                           int *added) IDV_CHECKED;

/* Does it lead from pin to its end? IDV_E_REJECT names the link that does not
 * hold. Times are not judged. */
idv_rc idvi_rollover_check(const struct idvi_rollover *r,
                           const X509 *pin) IDV_CHECKED;

/* Is it the key of the pinned CA, or of one that it led to? */
bool idvi_rollover_knows(const struct idvi_rollover *r, const X509 *pin,
                         const X509 *cert);

/* These keys' certificates: pin (NULL: without) and roots; NULL: no memory. */
STACK_OF(X509) *
    idvi_rollover_all(const struct idvi_rollover *r, const X509 *pin);

/* The file beside the record, which is named in it: of another imprint it is
 * IDV_E_REJECT, malformed IDV_E_FORMAT. Reading checks nothing more. */
idv_rc idvi_rollover_to_json(const struct idvi_rollover *r,
                             const uint8_t record[static IDV_RECORD_SIZE],
                             struct idv_buf *out) IDV_CHECKED;
idv_rc idvi_rollover_from_json(struct idv_bytes json,
                               const uint8_t record[static IDV_RECORD_SIZE],
                               struct idvi_rollover *out) IDV_CHECKED;

#endif
