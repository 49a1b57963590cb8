/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of enrollment share: a pledge that has its voucher. */
#ifndef TESTS_ENROLL_H
#define TESTS_ENROLL_H

#include "tests/unit/codec.h"

#include <openssl/x509v3.h>

#include <idevid/est.h>

#include "tests/lib/world.h"

#define JSON "application/json"
#define GOOD "{\"version\":1,\"status\":true}"
#define BAD "{\"version\":1,\"status\":false,\"reason\":\"no\"}"

struct fixture {
    struct world w;
    EVP_PKEY *key; /* of the LDevID */
    X509_NAME *name;
    struct idv_buf csr;
    X509 *ldevid; /* the last one issued */
};

static inline void get_voucher(struct fixture *f)
{
    IDV_AUTO(voucher) pvr;
    IDV_AUTO(buf) sealed = {0};
    pki_request(&f->w.pki, &pvr, &sealed);
    assert_int_equal(world_registrar(&f->w, W_BRSKI "requestvoucher",
                                     IDV_MEDIA_VOUCHER_CMS, idv_view(&sealed)),
                     200);
    f->w.upstreams = 0;
}

static inline int setup_bare(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    world_make(&f->w);
    f->key = EVP_EC_gen("P-256");
    world_csr(f->key, NULL, NULL, &f->csr);
    *state = f;
    return 0;
}

static inline int setup(void **state)
{
    setup_bare(state);
    get_voucher(*state);
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    EVP_PKEY_free(f->key);
    X509_NAME_free(f->name);
    X509_free(f->ldevid);
    idv_buf_free(&f->csr);
    world_free(&f->w);
    free(f);
    return 0;
}

static inline int report(struct fixture *f, const char *kind, const char *body)
{
    char path[64];
    snprintf(path, sizeof(path), W_BRSKI "%s", kind);
    return world_registrar(&f->w, path, JSON, idv_str(body));
}

static inline int enroll_as(struct fixture *f, struct idv_peer *peer,
                            const char *path)
{
    return world_ask(&f->w, idv_registrar_service(f->w.reg), peer, IDV_POST,
                     path, IDV_MEDIA_PKCS10, idv_view(&f->csr));
}

static inline int enroll(struct fixture *f)
{
    return enroll_as(f, &f->w.pledge, IDV_PATH_SIMPLEENROLL);
}

static inline int reenroll(struct fixture *f)
{
    return enroll_as(f, &f->w.member, IDV_PATH_SIMPLEREENROLL);
}

static inline void because(struct fixture *f, int got, int status,
                           const char *why)
{
    if (got != status || !world_why(&f->w, why))
        print_error("%s\n", f->w.log);
    assert_int_equal(got, status);
    assert_true(world_why(&f->w, why));
    assert_string_equal(f->w.reply.media, "text/plain");
}

/* Reads the reply as the pledge would. */
static inline void take_cert(struct fixture *f)
{
    X509_free(f->ldevid);
    f->ldevid = NULL;
    OK(idv_est_enroll_read(&f->w.reply, f->key, f->w.ca.chain, NULL, true,
                           PKI_NOW, &f->ldevid));
}

static inline void become_member(struct fixture *f)
{
    assert_int_equal(enroll(f), 200);
    take_cert(f);
    world_peer(&f->w.member, f->ldevid, NULL, 7);
    X509_NAME_free(f->name);
    f->name = X509_NAME_dup(X509_get_subject_name(f->ldevid));
}

static inline bool count_issued(void *arg, const struct idv_issued *i)
{
    (void)i;
    ++*(int *)arg;
    return true;
}

static inline int issued_count(struct fixture *f)
{
    int n = 0;
    OK(idv_db_issued_each(f->w.reg_db, NULL, count_issued, &n));
    return n;
}

#endif
