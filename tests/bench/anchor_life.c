/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a sealed anchor, as programs and stories have it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/sha.h>

#include <idevid/approval.h>
#include <idevid/auto.h>
#include <idevid/x509.h>

#include "key/nv.h"
#include "tpm/nvpolicy.h"

#include "tests/bench/anchor.h"

extern OSSL_provider_init_fn hwk_provider_init;

int life_done(idv_rc rc, const char *what)
{
    if (rc == IDV_OK)
        return 1;
    fprintf(stderr, "bench: %s: %s: %s\n", what, idv_rc_name(rc), idv_note());
    idv_note_clear();
    return 0;
}

int life_prepare(struct life *l)
{
    const char *base = getenv("BENCH_DIR");

    memset(l, 0, sizeof(*l));
    pki_make(&l->pki);
    snprintf(l->dir, sizeof(l->dir), "%s/anchor", base != NULL ? base : ".");
    l->maker = EVP_EC_gen("P-256");
    return l->maker != NULL;
}

int life_begin(struct life *l, bool counted)
{
    const char *counting = getenv("TCTICOUNT");

    if (counted && counting != NULL)
        setenv("HWKEY_TCTI", counting, 1);
    return DONE(idv_provider_setup(hwk_provider_init, NULL)) &&
           DONE(idv_device_open("tpm2:", NULL, &l->dev));
}

void life_profile(struct life *l, enum idv_anchor_profile profile)
{
    l->conf = (struct idv_anchor_conf){.profile = profile};
    if (profile == IDV_ANCHOR_PLATFORM) {
        l->conf.approval_key = l->maker;
        l->conf.serial = PKI_SERIAL;
    }
}

int life_factory(struct life *l)
{
    return l->conf.profile != IDV_ANCHOR_PLATFORM ||
           DONE(idv_platform_create(l->dev, &l->conf));
}

int life_start(struct life *l)
{
    struct idv_trust_conf conf = {.dir = l->dir, .env = &l->pki.env.env};
    int ok;

    idv_trust_close(idv_steal(&l->trust));
    ok = DONE(idv_anchor_open(l->dev, &l->conf, &conf.anchor)) &&
         DONE(idv_trust_open(&conf, &l->trust));
    idv_anchor_close(&conf.anchor);
    return ok;
}

int life_reset(struct life *l)
{
    return DONE(idv_trust_reset(l->trust));
}

static int undefine(struct life *l, uint32_t index)
{
    const struct hwk_nv_by owner = {.handle = IDVI_RH_OWNER};
    struct hwk_nv nv;
    bool found;

    return DONE(idvi_nv_look(l->dev, index, &found, &nv, NULL)) &&
           (!found || DONE(idvi_nv_undefine(l->dev, &nv, &owner, NULL)));
}

int life_clean(struct life *l)
{
    return undefine(l, IDV_ANCHOR_TPM2_INDEX) &&
           undefine(l, IDV_ANCHOR_TPM2_COUNTER) &&
           (l->conf.profile != IDV_ANCHOR_PLATFORM ||
            DONE(idv_platform_delete(l->dev, &l->conf)));
}

void life_end(struct life *l)
{
    idv_trust_close(l->trust);
    idv_device_close(l->dev);
    EVP_PKEY_free(l->maker);
    pki_free(&l->pki);
}

/* --- what the maker says -------------------------------------------------- */

static int approved(struct life *l, struct idv_voucher *v)
{
    IDV_AUTO(buf) json = {0};
    struct idv_approval_request request;
    struct idv_approval_ref ref;
    struct idv_approval approval;
    struct idv_record record;
    bool mine;

    return DONE(idv_trust_statement(l->trust, &json)) &&
           DONE(idv_approval_request_from_json(idv_view(&json), &mine,
                                               &request)) &&
           DONE(idv_approval_ref(PKI_SERIAL, &ref)) &&
           DONE(idv_approval_record(v, request.generation, &record)) &&
           DONE(idv_approval_sign(&request, &record, l->maker, &ref,
                                  &approval)) &&
           DONE(idv_approval_to_json(&approval, &v->manufacturer_proprietary));
}

int life_word(struct life *l, struct word *w)
{
    struct idv_voucher *v = &w->pinned.voucher;
    X509 *cert = l->pki.domain_ca.cert;

    memset(w, 0, sizeof(*w));
    idv_voucher_init(v, IDV_VOUCHER);
    v->assertion = IDV_ASSERT_PROXIMITY;
    v->created_on = PKI_NOW;
    snprintf(v->serial_number, sizeof(v->serial_number), "%s", PKI_SERIAL);
    snprintf(v->nonce, sizeof(v->nonce), "bm9uY2Utbm9uY2U=");
    w->pinned.kind = IDV_PIN_CERT;
    X509_up_ref(cert);
    w->pinned.cert = cert;
    if (!DONE(idv_cert_to_der(cert, &v->pinned_domain_cert)) ||
        !DONE(
            idv_key_fingerprint(X509_get0_pubkey(cert), w->pinned.spki_sha256)))
        return 0;
    if (l->conf.profile == IDV_ANCHOR_PLATFORM && !approved(l, v))
        return 0;
    pki_seal(v, &l->pki.masa, NULL, false, &w->sealed);
    SHA256(w->sealed.p, w->sealed.n, w->pinned.voucher_sha256);
    return 1;
}

void life_word_free(struct word *w)
{
    idv_pinned_free(&w->pinned);
    idv_buf_free(&w->sealed);
}

int life_imprint(struct life *l, const struct word *w)
{
    return DONE(idv_trust_imprint(l->trust, &w->pinned, idv_view(&w->sealed)));
}
