/* SPDX-License-Identifier: Apache-2.0 */
/* What is signed besides messages: requests and CMS. */
#include <openssl/cms.h>
#include <openssl/x509.h>

#include "tests/bench/bench.h"

int csr_sign(struct contestant *c)
{
    struct hwkey *h = c->state;
    X509_REQ *req = X509_REQ_new_ex(h->libctx, NULL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    X509_NAME *name = X509_REQ_get_subject_name(req);
    int ok =
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                   (const unsigned char *)"bench", -1, -1, 0) &&
        X509_REQ_set_pubkey(req, h->key) &&
        EVP_DigestSignInit_ex(ctx, NULL, "SHA256", h->libctx, NULL, h->key,
                              NULL) &&
        X509_REQ_sign_ctx(req, ctx) > 0;

    EVP_MD_CTX_free(ctx);
    X509_REQ_free(req);
    return ok || bench_fail("no request");
}

static X509 *certificate;

int cms_open(struct contestant *c)
{
    struct hwkey *h;

    if (!sign_open(c))
        return 0;
    h = c->state;
    certificate = self_signed(h->libctx, h->key);
    return certificate != NULL;
}

int cms_sign(struct contestant *c)
{
    struct hwkey *h = c->state;
    size_t n;
    const unsigned char *message = message_of(c, &n);
    BIO *in = BIO_new_mem_buf(message, (int)n);
    CMS_ContentInfo *cms =
        CMS_sign_ex(certificate, h->key, NULL, in, CMS_BINARY, h->libctx, NULL);
    int ok = cms != NULL;

    CMS_ContentInfo_free(cms);
    BIO_free(in);
    return ok || bench_fail("no CMS");
}
