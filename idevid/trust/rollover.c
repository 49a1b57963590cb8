/* SPDX-License-Identifier: Apache-2.0 */
/* From the pinned CA to the domain's newest, each signed over by the last. */
#include <string.h>

#include <openssl/x509v3.h>

#include <idevid/auto.h>

#include "trust/rollover.h"

void idvi_rollover_free(struct idvi_rollover *r)
{
    idv_certs_free(r->crosses);
    idv_certs_free(r->roots);
    memset(r, 0, sizeof(*r));
}

int idvi_rollover_count(const struct idvi_rollover *r)
{
    return r->roots ? sk_X509_num(r->roots) : 0;
}

idv_rc idvi_rollover_dup(const struct idvi_rollover *from,
                         struct idvi_rollover *to)
{
    struct idvi_rollover r = {0};
    if (from->roots) {
        r.crosses = idv_certs_dup(from->crosses);
        r.roots = idv_certs_dup(from->roots);
        if (!r.crosses || !r.roots) {
            idvi_rollover_free(&r);
            return idv_fail(IDV_E_NOMEM, "rollover");
        }
    }
    *to = r;
    return IDV_OK;
}

bool idvi_rollover_possible(const X509 *pin)
{
    return pin && idv_cert_is_ca(pin);
}

/* libcrypto takes what it only reads as writable */
static X509 *writable(const X509 *cert)
{
    return (X509 *)(uintptr_t)cert;
}

STACK_OF(X509) *
    idvi_rollover_all(const struct idvi_rollover *r, const X509 *pin)
{
    STACK_OF(X509) *all =
        r->roots ? idv_certs_dup(r->roots) : sk_X509_new_null();
    if (!all || !pin)
        return all;
    if (sk_X509_unshift(all, writable(pin)) <= 0) {
        idv_certs_free(all);
        return NULL;
    }
    X509_up_ref(writable(pin));
    return all;
}

bool idvi_rollover_knows(const struct idvi_rollover *r, const X509 *pin,
                         const X509 *cert)
{
    if (pin && idv_cert_same_key(cert, pin))
        return true;
    for (int i = 0; i < idvi_rollover_count(r); i++) {
        if (idv_cert_same_key(cert, sk_X509_value(r->roots, i)))
            return true;
    }
    return false;
}

/* --- one link ------------------------------------------------------------- */

static idv_rc verify_with(X509 *cert, X509 *issuer, bool check_time,
                          int64_t now)
{
    STACK_OF(X509) *alone = sk_X509_new_null();
    if (!alone || !sk_X509_push(alone, issuer)) {
        sk_X509_free(alone);
        return idv_fail(IDV_E_NOMEM, "rollover");
    }
    const struct idv_chain_policy policy = {
        .anchors = alone,
        .partial = true,
        .check_time = check_time,
        .now = now,
    };
    idv_rc rc = idv_chain_verify(cert, &policy);
    sk_X509_free(alone);
    return rc;
}

/* whether the certificate hands over all that its issuer may do */
static bool is_whole(X509 *cross)
{
    return idv_cert_is_ca(cross) && X509_get_pathlen(cross) < 0 &&
           X509_get_ext_by_NID(cross, NID_name_constraints, -1) < 0;
}

static bool is_root_of(X509 *root, X509 *cross)
{
    return idv_cert_same_key(root, cross) &&
           X509_NAME_cmp(X509_get_subject_name(root),
                         X509_get_subject_name(cross)) == 0 &&
           idv_cert_is_ca(root) && X509_self_signed(root, 1) == 1;
}

static idv_rc check_link(X509 *old, X509 *cross, X509 *root, bool check_time,
                         int64_t now)
{
    if (!is_whole(cross))
        return idv_fail(IDV_E_REJECT, "'%s' is no CA, or one with limits",
                        idv_cert_subject(cross));
    if (!is_root_of(root, cross))
        return idv_fail(IDV_E_REJECT, "'%s' is not what was signed over to",
                        idv_cert_subject(root));
    IDV_TRY(verify_with(cross, old, check_time, now));
    return verify_with(root, root, check_time, now);
}

static X509 *tip(const struct idvi_rollover *r, const X509 *pin)
{
    const int n = idvi_rollover_count(r);
    return n ? sk_X509_value(r->roots, n - 1) : writable(pin);
}

idv_rc idvi_rollover_check(const struct idvi_rollover *r, const X509 *pin)
{
    const int n = idvi_rollover_count(r);
    struct idvi_rollover before = {NULL, sk_X509_new_null()};
    idv_rc rc = before.roots ? IDV_OK : idv_fail(IDV_E_NOMEM, "rollover");
    if (rc == IDV_OK && n && !idvi_rollover_possible(pin))
        rc = idv_fail(IDV_E_REJECT, "rollover: what is pinned is no CA");
    for (int i = 0; rc == IDV_OK && i < n; i++) {
        X509 *cross = sk_X509_value(r->crosses, i);
        X509 *root = sk_X509_value(r->roots, i);
        if (idvi_rollover_knows(&before, pin, root))
            rc = idv_fail(IDV_E_REJECT, "'%s' was there before",
                          idv_cert_subject(root));
        else
            rc = check_link(tip(&before, pin), cross, root, false, 0);
        if (rc != IDV_OK)
            rc = idv_fail_within(rc, "rollover: link %d", i + 1);
        else if (!sk_X509_push(before.roots, root))
            rc = idv_fail(IDV_E_NOMEM, "rollover");
    }
    sk_X509_free(before.roots);
    return rc;
}

/* --- new links ------------------------------------------------------------ */

struct search {
    struct idvi_rollover *r;
    const X509 *pin;
    STACK_OF(X509) * certs; /* borrowed ones */
    bool check_time;
    int64_t now;
};

static X509 *root_of(const struct search *s, X509 *cross)
{
    for (int i = 0; i < sk_X509_num(s->certs); i++) {
        X509 *root = sk_X509_value(s->certs, i);
        if (is_root_of(root, cross))
            return root;
    }
    return NULL;
}

static bool next_link(const struct search *s, X509 **cross, X509 **root)
{
    for (int i = 0; i < sk_X509_num(s->certs); i++) {
        *cross = sk_X509_value(s->certs, i);
        if (idvi_rollover_knows(s->r, s->pin, *cross))
            continue;
        *root = root_of(s, *cross);
        if (*root && check_link(tip(s->r, s->pin), *cross, *root, s->check_time,
                                s->now) == IDV_OK)
            return true;
        idv_note_clear();
    }
    return false;
}

static bool push(STACK_OF(X509) * *to, X509 *cert)
{
    if (!*to)
        *to = sk_X509_new_null();
    if (!*to || !sk_X509_push(*to, cert))
        return false;
    X509_up_ref(cert);
    return true;
}

static idv_rc extend(const struct search *s, int *added)
{
    X509 *cross, *root;
    for (*added = 0; next_link(s, &cross, &root); ++*added) {
        if (idvi_rollover_count(s->r) >= IDVI_ROLLOVER_MAX)
            return idv_fail(IDV_E_LIMIT,
                            "rollover: more than %d since the imprint; imprint "
                            "again",
                            IDVI_ROLLOVER_MAX);
        if (!push(&s->r->crosses, cross) || !push(&s->r->roots, root))
            return idv_fail(IDV_E_NOMEM, "rollover");
    }
    return IDV_OK;
}

static idv_rc collect(STACK_OF(X509) * to, const STACK_OF(X509) * from)
{
    for (int i = 0; from && i < sk_X509_num(from); i++) {
        if (!sk_X509_push(to, sk_X509_value(from, i)))
            return idv_fail(IDV_E_NOMEM, "rollover");
    }
    return IDV_OK;
}

static void cut(STACK_OF(X509) * certs, int n)
{
    while (certs && sk_X509_num(certs) > n)
        X509_free(sk_X509_pop(certs));
}

idv_rc idvi_rollover_learn(struct idvi_rollover *r, const X509 *pin,
                           const STACK_OF(X509) * a, const STACK_OF(X509) * b,
                           bool check_time, int64_t now, int *added)
{
    struct search s = {r, pin, sk_X509_new_null(), check_time, now};
    const int had = idvi_rollover_count(r);
    int n = 0;
    idv_rc rc = s.certs ? IDV_OK : idv_fail(IDV_E_NOMEM, "rollover");
    if (rc == IDV_OK)
        rc = collect(s.certs, a);
    if (rc == IDV_OK)
        rc = collect(s.certs, b);
    if (rc == IDV_OK && idvi_rollover_possible(pin))
        rc = extend(&s, &n);
    sk_X509_free(s.certs);
    if (rc == IDV_OK) {
        *added = n;
        return IDV_OK;
    }
    cut(r->crosses, had);
    cut(r->roots, had);
    return rc;
}
