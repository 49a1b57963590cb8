/* SPDX-License-Identifier: Apache-2.0 */
/* The MASA and the certificates of who asks: what is a registrar's chain, and
 * what must not be pinned. */
#include "tests/lib/stores.h"
#include "tests/unit/masa.h"

static void no_cmc_ra(void **state) /* R-M-6, R-S-5 */
{
    struct fixture *f = *state;
    struct idv_cert_spec spec = {.kind = IDV_CERT_LDEVID,
                                 .common_name = "member"};
    struct pki_id id =
        pki_issue(&f->w.pki, "P-256", &spec, &f->w.pki.domain_ca);
    seal_by(f, &id, f->w.pki.tls_chain);
    refused(f, 403, "no-cmc-ra");
    pki_id_free(&id);
}

static void expired_registrar(void **state) /* R-M-4 */
{
    struct fixture *f = *state;
    seal(f);
    f->w.pki.env.now += 400 * PKI_DAY;
    f->w.masa_conf.max_age_s = 1000 * PKI_DAY;
    world_configure(&f->w);
    refused(f, 403, "chain");
}

/* The domain's CA with a bit of its certificate turned: of the last byte of
 * what, where that comes for the nth time. */
static X509 *damaged(struct fixture *f, struct idv_bytes what, int nth)
{
    IDV_AUTO(buf) der = {0};
    X509 *root = NULL;
    size_t at = 0;
    pki_must(idv_cert_to_der(f->w.pki.domain_ca.cert, &der), "der");
    while (at + what.n <= der.n &&
           (memcmp(der.p + at, what.p, what.n) != 0 || --nth > 0))
        at++;
    assert_true(at + what.n <= der.n);
    der.p[at + what.n - 1] ^= 1;
    pki_must(idv_cert_from_der(idv_view(&der), &root), "root");
    assert_true(idv_cert_same_key(root, f->w.pki.domain_ca.cert));
    return root;
}

/* the end of a certificate's signature */
static X509 *damaged_at_end(struct fixture *f)
{
    const ASN1_BIT_STRING *s = NULL;
    X509_get0_signature(&s, NULL, f->w.pki.domain_ca.cert);
    return damaged(f, (struct idv_bytes){s->data, (size_t)s->length}, 1);
}

static void seal_with(struct fixture *f, const struct pki_id *id, X509 *root)
{
    STACK_OF(X509) *chain = pki_stack(id->cert, root);
    seal_by(f, id, chain);
    idv_certs_free(chain);
}

static void damaged_root(void **state) /* R-M-14: it would be pinned */
{
    static const uint8_t ecdsa_sha256[] = {0x2a, 0x86, 0x48, 0xce,
                                           0x3d, 0x04, 0x03, 0x02};
    struct fixture *f = *state;
    const struct pki_id *registrar = &f->w.pki.registrar;
    IDV_AUTO_PTR(X509) signature = damaged_at_end(f);
    IDV_AUTO_PTR(X509)
    algorithm =
        damaged(f, (struct idv_bytes){ecdsa_sha256, sizeof(ecdsa_sha256)}, 1);
    seal_with(f, registrar, signature);
    refused(f, 403, "chain-root");
    seal_with(f, registrar, algorithm);
    refused(f, 403, "chain-root");
    seal_with(f, registrar, f->w.pki.domain_ca.cert);
    assert_int_equal(send(f), 200);
}

static void damaged_issuer(void **state) /* the registrar would be pinned */
{
    struct fixture *f = *state;
    IDV_AUTO_PTR(X509) subject = damaged(f, idv_str("Domain CA"), 2);
    seal_with(f, &f->w.pki.registrar, subject);
    refused(f, 403, "chain-root");
}

/* as refused(), after others were served */
static void now_refused(struct fixture *f, int status, const char *why)
{
    const int before = world_events(&f->w);
    assert_int_equal(send(f), status);
    assert_true(world_why(&f->w, why));
    assert_int_equal(world_events(&f->w), before);
}

/* What was verified is not verified again in the same second: that very chain,
 * and no longer. */
static void same_second(void **state) /* R-M-4 */
{
    struct fixture *f = *state;
    const struct pki_id *registrar = &f->w.pki.registrar;
    IDV_AUTO_PTR(X509) signature = damaged_at_end(f);
    f->w.masa_conf.max_age_s = 1000 * PKI_DAY;
    world_configure(&f->w);
    seal_with(f, registrar, f->w.pki.domain_ca.cert);
    assert_int_equal(send(f), 200);
    seal_with(f, registrar, signature);
    now_refused(f, 403, "chain-root");
    seal_with(f, registrar, f->w.pki.domain_ca.cert);
    assert_int_equal(send(f), 200);
    f->w.pki.env.now += 400 * PKI_DAY;
    now_refused(f, 403, "chain");
}

/* and by that very certificate of those that are inside */
static void other_signer(void **state) /* R-M-6 */
{
    struct fixture *f = *state;
    struct idv_cert_spec spec = {.kind = IDV_CERT_LDEVID,
                                 .common_name = "member"};
    struct pki_id member =
        pki_issue(&f->w.pki, "P-256", &spec, &f->w.pki.domain_ca);
    STACK_OF(X509) *all = pki_stack(f->w.pki.registrar.cert, member.cert);
    X509_add_cert(all, f->w.pki.domain_ca.cert, X509_ADD_FLAG_UP_REF);
    seal_by(f, &f->w.pki.registrar, all);
    assert_int_equal(send(f), 200);
    seal_by(f, &member, all);
    now_refused(f, 403, "no-cmc-ra");
    idv_certs_free(all);
    pki_id_free(&member);
}

/* A domain is whatever the chain leads to, and may be under another. */
static void domain_under_another(void **state) /* R-M-4 */
{
    struct fixture *f = *state;
    struct idv_cert_spec sub = {.kind = IDV_CERT_CA, .common_name = "Sub CA"};
    struct idv_cert_spec leaf = {.kind = IDV_CERT_REGISTRAR,
                                 .common_name = "registrar.example.com"};
    struct pki_id ca = pki_issue(&f->w.pki, "P-256", &sub, &f->w.pki.rogue_ca);
    struct pki_id id = pki_issue(&f->w.pki, "P-256", &leaf, &ca);
    IDV_AUTO(voucher) v;
    IDV_AUTO(voucher) alone;
    idv_buf_clear(&f->rvr.prior_signed);
    seal_with(f, &id, ca.cert);
    assert_int_equal(send(f), 200);
    read_voucher(f, &v);
    pinned_is(&v, ca.cert);
    seal_with(f, &id, NULL);
    assert_int_equal(send(f), 200);
    read_voucher(f, &alone);
    pinned_is(&alone, id.cert);
    pki_id_free(&id);
    pki_id_free(&ca);
}

/* ... which the certificate does not name by its key */
static void drop_aki(X509 *cert, const struct pki_id *ca)
{
    int at = X509_get_ext_by_NID(cert, NID_authority_key_identifier, -1);
    assert_true(at >= 0);
    X509_EXTENSION_free(X509_delete_ext(cert, at));
    assert_true(X509_sign(cert, ca->key, EVP_sha256()) > 0);
}

/* several CAs of one name: the one that signed, wherever it stands */
static void namesakes_inside(void **state) /* R-M-4 */
{
    struct fixture *f = *state;
    struct idv_cert_spec root = {.kind = IDV_CERT_ROOT,
                                 .common_name = "Twin CA"};
    struct idv_cert_spec leaf = {.kind = IDV_CERT_REGISTRAR,
                                 .common_name = "registrar.example.com"};
    struct pki_id ca[3];
    idv_buf_clear(&f->rvr.prior_signed);
    for (int i = 0; i < 3; i++)
        ca[i] = pki_issue(&f->w.pki, "P-256", &root, NULL);
    for (int i = 0; i < 3; i++) {
        IDV_AUTO(voucher) v;
        struct pki_id id = pki_issue(&f->w.pki, "P-256", &leaf, &ca[i]);
        drop_aki(id.cert, &ca[i]);
        STACK_OF(X509) *chain = pki_stack(ca[0].cert, ca[1].cert);
        X509_add_cert(chain, ca[2].cert, X509_ADD_FLAG_UP_REF);
        seal_by(f, &id, chain);
        assert_int_equal(send(f), 200);
        read_voucher(f, &v);
        pinned_is(&v, ca[i].cert);
        idv_certs_free(chain);
        pki_id_free(&id);
    }
    for (int i = 0; i < 3; i++)
        pki_id_free(&ca[i]);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(no_cmc_ra),
        T(expired_registrar),
        T(damaged_root),
        T(damaged_issuer),
        T(same_second),
        T(other_signer),
        T(domain_under_another),
        T(namesakes_inside),
    };
    return STORES_RUN(tests);
}
