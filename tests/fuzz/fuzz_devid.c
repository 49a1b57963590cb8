/* SPDX-License-Identifier: Apache-2.0 */
/* A certificate from outside, and everything we ask of one. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/x509.h>

#include "tests/fuzz/fuzz.h"

static void ask(X509 *cert)
{
    struct idv_devid id;
    int64_t from, to;
    IDV_AUTO(buf) issuer = {0};
    IDV_AUTO(buf) domain = {0};
    if (idv_devid_from_cert(cert, &id) == IDV_OK)
        PROMISE(id.serial_number[0]);
    if (idv_idevid_issuer(cert, false, &issuer) == IDV_OK)
        PROMISE(idv_idevid_issuer_matches(cert, idv_view(&issuer)));
    if (idv_domain_id(cert, &domain) == IDV_OK)
        PROMISE(domain.n > 0);
    PROMISE(idv_cert_subject(cert)[0]);
    if (idv_cert_times(cert, &from, &to) != IDV_OK)
        idv_note_clear();
    idv_cert_is_ca(cert);
    idv_cert_has_eku(cert, IDV_OID_CMC_RA);
}

static void verify(X509 *cert)
{
    STACK_OF(X509) *anchors = sk_X509_new_null();
    sk_X509_push(anchors, cert);
    const struct idv_chain_policy policy = {.anchors = anchors,
                                            .partial = true};
    if (idv_chain_verify(cert, &policy) != IDV_OK)
        idv_note_clear();
    sk_X509_free(anchors);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_AUTO(buf) der = {0};
    IDV_AUTO(buf) keyid = {0};
    idv_note_clear();
    if (idv_idevid_issuer_keyid(idv_bytes(data, n), &keyid) == IDV_OK)
        PROMISE(keyid.n > 0);
    if (idv_certs_from_pem(idv_bytes(data, n), &certs) == IDV_OK)
        PROMISE(sk_X509_num(certs) > 0);
    if (idv_cert_from_der(idv_bytes(data, n), &cert) != IDV_OK)
        return 0;
    PROMISE(idv_cert_to_der(cert, &der) == IDV_OK);
    PROMISE(idv_bytes_eq(idv_view(&der), idv_bytes(data, n)));
    ask(cert);
    verify(cert);
    return 0;
}
