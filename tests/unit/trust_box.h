/* SPDX-License-Identifier: Apache-2.0 */
/* A device with a directory, and an anchor in memory: what it belongs to. */
#ifndef TESTS_TRUST_BOX_H
#define TESTS_TRUST_BOX_H

#include "tests/unit/codec.h"

#include <openssl/sha.h>

#include <idevid/codec.h>
#include <idevid/trust.h>

#include "tests/lib/anchor_mem.h"
#include "tests/lib/pki.h"

static struct pki pki;

static inline int trust_setup(void **state)
{
    (void)state;
    pki_make(&pki);
    return 0;
}

static inline int trust_teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

struct box {
    char dir[64], state[80];
    bool observe;
    struct anchor_mem anchor;
    struct idv_trust *trust;
};

static const char voucher[] = "the sealed voucher";

static inline void box_init(struct box *b)
{
    memset(b, 0, sizeof(*b));
    test_dir(b->dir);
    snprintf(b->state, sizeof(b->state), "%s/state", b->dir);
}

static inline void box_free(struct box *b)
{
    idv_trust_close(b->trust);
    test_dir_drop(b->dir);
}
#define BOX(b)                                                                 \
    __attribute__((cleanup(box_free))) struct box b;                           \
    box_init(&b)

/* what a restart finds */
static inline idv_rc reopen(struct box *b)
{
    struct idv_trust_conf conf = {
        .dir = b->state,
        .anchor = anchor_mem(&b->anchor),
        .env = &pki.env.env,
        .observe = b->observe,
    };
    idv_trust_close(idv_steal(&b->trust));
    return idv_trust_open(&conf, &b->trust);
}

static inline char *path(const struct box *b, const char *name)
{
    static char p[160];
    snprintf(p, sizeof(p), "%s/%s", b->state, name);
    return p;
}

static inline struct idv_pinned pinned_cert(X509 *cert)
{
    struct idv_pinned p = {.kind = IDV_PIN_CERT, .cert = cert};
    OK(idv_key_fingerprint(X509_get0_pubkey(cert), p.spki_sha256));
    SHA256((const uint8_t *)voucher, strlen(voucher), p.voucher_sha256);
    return p;
}

static inline idv_rc imprint(struct box *b)
{
    const struct idv_pinned p = pinned_cert(pki.domain_ca.cert);
    return idv_trust_imprint(b->trust, &p, idv_str(voucher));
}

static inline struct pki_id ldevid(const struct pki_id *ca)
{
    const struct idv_cert_spec spec = {
        .kind = IDV_CERT_LDEVID,
        .serial_number = PKI_SERIAL,
    };
    return pki_issue(&pki, "P-256", &spec, ca);
}

static inline idv_rc enroll_with(struct box *b, const struct pki_id *issuer,
                                 const struct pki_id *anchor)
{
    struct pki_id id = ldevid(issuer);
    struct idv_enrollment e = {
        .ldevid = pki_stack(id.cert, NULL),
        .anchors = pki_stack(anchor->cert, NULL),
        .key_uri = "tpm2:handle=0x81020001",
        .registrar = "https://registrar.example.com:8443",
    };
    idv_rc rc = idv_trust_enroll(b->trust, &e);
    idv_enrollment_free(&e);
    pki_id_free(&id);
    return rc;
}

static inline idv_rc enroll(struct box *b)
{
    return enroll_with(b, &pki.domain_ca, &pki.domain_ca);
}

static inline enum idv_trust_state state_of(const struct box *b)
{
    return idv_trust_state(b->trust);
}

static inline void spoil(const struct box *b, const char *name)
{
    IDV_AUTO(buf) file = {0};
    OK(idv_fs_read(path(b, name), 0, &file));
    file.p[file.n / 2] ^= 0x20;
    OK(idv_fs_write(path(b, name), idv_view(&file), 0600));
}

#endif
