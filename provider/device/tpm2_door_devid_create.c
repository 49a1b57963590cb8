/* SPDX-License-Identifier: Apache-2.0 */
/* Device identity keys made from the TCG's templates, or found. */
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_door_devid.h"
#include "provider/device/tpm2_ek.h"
#include "provider/device/tpm2_hierarchy.h"
#include "provider/device/tpm2_nv.h"
#include "provider/device/tpm2_policy.h"
#include "provider/device/tpm2_primary.h"
#include "provider/device/tpm2_resident.h"
#include "provider/device/tpm2_spec.h"

/* --- templates --- */

static const struct {
    const char *type;
    struct hwk_tpm_kind kind;
} kinds[] = {{"P-256", {TPM2_ALG_ECC, TPM2_ECC_NIST_P256, 0}},
             {"P-384", {TPM2_ALG_ECC, TPM2_ECC_NIST_P384, 0}},
             {"P-521", {TPM2_ALG_ECC, TPM2_ECC_NIST_P521, 0}},
             {"RSA-2048", {TPM2_ALG_RSA, TPM2_ECC_NONE, 2048}}};

static int unknown(const char *type)
{
    return hwk_raise(HWK_R_UNSUPPORTED,
                     "the TCG has no template of a device identity key for %s: "
                     "P-256, P-384, P-521 or RSA-2048",
                     type);
}

static int template_of_type(enum hwk_devid what, const char *type,
                            TPM2B_PUBLIC *out)
{
    size_t i = 0, n = sizeof(kinds) / sizeof(*kinds);
    while (i < n && strcmp(kinds[i].type, type) != 0)
        i++;
    if (i == n)
        return unknown(type);
    return hwk_tpm_devid_own(what == HWK_DEVID_IAK ? HWK_TPM_IAK
                                                   : HWK_TPM_IDEVID,
                             &kinds[i].kind, out) ||
           hwk_raise(HWK_R_DIGEST, "template");
}

/* seen by indices in this turn: then nobody has to ask */
static bool is_absent(const struct hwk_tpm *tpm, TPM2_HANDLE index)
{
    const struct hwk_tpm_borns *b = tpm->born;
    if (index == 0)
        return true;
    if (index < b->from || index > b->to)
        return false;
    for (size_t i = 0; i < b->seen_n; i++)
        if (b->seen[i] == index)
            return false;
    return true;
}

/* 1 with what the index holds, nothing where it is absent */
static int read_index(struct hwk_tpm *tpm, TPM2_HANDLE index,
                      struct hwk_tpm_nv *out)
{
    memset(out, 0, sizeof(*out));
    if (is_absent(tpm, index))
        return 1;
    ERR_set_mark();
    if (hwk_tpm_nv_bytes(tpm, index, NULL, out) ||
        hwk_err_is(HWK_R_NOT_FOUND)) {
        ERR_pop_to_mark();
        return 1;
    }
    ERR_clear_last_mark();
    return 0;
}

static int no_template(const struct hwk_tpm *tpm, TPM2_HANDLE index,
                       const char *why)
{
    return hwk_raise(HWK_R_FORMAT, "TPM %s: NV index 0x%08x %s", tpm->name,
                     index, why);
}

static int template_from(struct hwk_tpm *tpm, const struct hwk_tpm_ek *ek,
                         TPM2B_PUBLIC *out)
{
    struct hwk_tpm_nv held, nonce;
    if (!read_index(tpm, ek->template, &held))
        return 0;
    if (held.n > 0) {
        int ok = hwk_tpm_ek_template_from(ek, held.data, held.n, out);
        hwk_tpm_nv_clear(&held);
        return ok || no_template(tpm, ek->template,
                                 "holds no template of an endorsement key");
    }
    if (!read_index(tpm, ek->nonce, &nonce))
        return 0;
    int ok = hwk_tpm_ek_template(ek, nonce.data, nonce.n, out);
    hwk_tpm_nv_clear(&nonce);
    return ok || no_template(tpm, ek->nonce, "holds no nonce of that size");
}

static int template_of_ek(struct hwk_tpm *tpm, const char *type,
                          TPM2_HANDLE cert, TPM2B_PUBLIC *out)
{
    const struct hwk_tpm_ek *ek =
        cert ? hwk_tpm_ek_at(cert) : hwk_tpm_ek_of(type);
    if (!ek)
        return cert ? hwk_raise(HWK_R_UNSUPPORTED,
                                "the TCG has no EK certificate at 0x%08x", cert)
                    : unknown(type);
    return template_from(tpm, ek, out);
}

/* --- finding --- */

/* what a key of that template may differ in: the scheme, left open by some */
static bool is_alike(const TPM2B_PUBLIC *template, const TPM2B_PUBLIC *pub)
{
    const TPMT_PUBLIC *a = &template->publicArea, *b = &pub->publicArea;
    if (a->type != b->type || a->nameAlg != b->nameAlg ||
        a->objectAttributes != b->objectAttributes ||
        a->authPolicy.size != b->authPolicy.size ||
        memcmp(a->authPolicy.buffer, b->authPolicy.buffer,
               a->authPolicy.size) != 0)
        return false;
    return a->type == TPM2_ALG_RSA ? a->parameters.rsaDetail.keyBits ==
                                         b->parameters.rsaDetail.keyBits
                                   : a->parameters.eccDetail.curveID ==
                                         b->parameters.eccDetail.curveID;
}

static int altered(const struct hwk_tpm *tpm, const char *what)
{
    return hwk_raise(HWK_R_BUS, "TPM %s: %s", tpm->name, what);
}

/* b->object is what is there and alike; NULL: nothing of the kind */
static int find(struct hwk_tpm *tpm, const TPM2B_PUBLIC *template,
                TPM2_HANDLE handle, struct hwk_tpm_born *b)
{
    ERR_set_mark();
    struct hwk_tpm_object *o = hwk_tpm_object_open(tpm, handle);
    if (!o && !hwk_err_is(HWK_R_NOT_FOUND)) {
        ERR_clear_last_mark();
        return 0;
    }
    ERR_pop_to_mark();
    if (!o || !is_alike(template, &o->pub)) {
        if (o)
            hwk_tpm_object_close(tpm, o);
        return 1;
    }
    if (!hwk_tpm_name(&o->pub, &b->name) || b->name.size != o->name.size ||
        memcmp(b->name.name, o->name.name, b->name.size) != 0) {
        hwk_tpm_object_close(tpm, o);
        return altered(tpm, "the public area of a key was altered on its way");
    }
    b->object = o;
    b->handle = handle;
    b->pub = o->pub;
    return 1;
}

/* --- making --- */

struct parts {
    TPM2B_PUBLIC *pub;
    TPM2B_CREATION_DATA *data;
    TPM2B_DIGEST *hash;
    TPMT_TK_CREATION *ticket;
};

static TSS2_RC collect(struct hwk_tpm *tpm, struct parts *p,
                       struct hwk_tpm_primary *out)
{
    out->pub = *p->pub;
    out->data = *p->data;
    out->hash = *p->hash;
    out->ticket = *p->ticket;
    Esys_Free(p->pub);
    Esys_Free(p->data);
    Esys_Free(p->hash);
    Esys_Free(p->ticket);
    return hwk_tpm_name(&out->pub, &out->name)
               ? Esys_TR_GetTpmHandle(tpm->esys, out->tr, &out->handle)
               : (TSS2_RC)TSS2_ESYS_RC_MALFORMED_RESPONSE;
}

static int by_esys(struct hwk_tpm *tpm, const TPM2B_PUBLIC *template,
                   const struct hwk_tpm_hierarchy_by *by,
                   struct hwk_tpm_primary *out, TSS2_RC *rc)
{
    static const TPM2B_SENSITIVE_CREATE empty;
    static const TPM2B_DATA outside;
    static const TPML_PCR_SELECTION none;
    struct parts p = {NULL};
    ESYS_TR session;
    do {
        if (!hwk_tpm_authorize(tpm, by->tr, by->auth, HWK_TPM_NO_SECRET,
                               &session))
            return 0;
        *rc =
            Esys_CreatePrimary(tpm->esys, by->tr, session, ESYS_TR_NONE,
                               ESYS_TR_NONE, &empty, template, &outside, &none,
                               &out->tr, &p.pub, &p.data, &p.hash, &p.ticket);
    } while (hwk_tpm_again(tpm, *rc));
    if (*rc == TSS2_RC_SUCCESS)
        *rc = collect(tpm, &p, out);
    return 1;
}

static int command(struct hwk_tpm *tpm, const TPM2B_PUBLIC *template,
                   const struct hwk_tpm_hierarchy_by *by,
                   struct hwk_tpm_primary *out)
{
    char text[HWK_TPM_SPEC_TEXT_MAX];
    TSS2_RC rc;
    out->tr = ESYS_TR_NONE;
    if (hwk_tpm_plain(tpm, by->auth))
        rc = hwk_tpm_primary_make(tpm, by->handle, template, out);
    else if (!by_esys(tpm, template, by, out, &rc))
        return 0;
    if (hwk_tpm_hierarchy_check(tpm, by, rc, "CreatePrimary", by->handle))
        return 1;
    if (!(rc & TPM2_RC_FMT1) || !(rc & TPM2_RC_P) || !hwk_tpm_answered(rc))
        return 0;
    hwk_tpm_spec_text(template, text);
    return hwk_raise(HWK_R_UNSUPPORTED, "TPM %s: makes no such key: %s",
                     tpm->name, text);
}

/* the digest is that of what was told of the key's birth */
static bool is_of_birth(const struct hwk_tpm_primary *m)
{
    uint8_t p[sizeof(TPMS_CREATION_DATA)];
    TPM2B_DIGEST d;
    size_t n = 0;
    return !Tss2_MU_TPMS_CREATION_DATA_Marshal(&m->data.creationData, p,
                                               sizeof(p), &n) &&
           hwk_tpm_hash(m->pub.publicArea.nameAlg, p, n, &d) &&
           d.size == m->hash.size &&
           memcmp(d.buffer, m->hash.buffer, d.size) == 0;
}

static int take(struct hwk_tpm *tpm, const TPM2B_PUBLIC *template,
                const struct hwk_tpm_primary *m, struct hwk_tpm_born *b)
{
    if (!hwk_tpm_spec_made(template, &m->pub))
        return altered(tpm, "the key is not what was asked for");
    if (!is_of_birth(m) || m->ticket.tag != TPM2_ST_CREATION ||
        m->ticket.hierarchy != TPM2_RH_ENDORSEMENT)
        return altered(tpm, "what came with the key is not of its birth");
    b->handle = m->handle;
    b->pub = m->pub;
    b->name = m->name;
    b->creation = m->hash;
    b->ticket = m->ticket;
    return 1;
}

static int make(struct hwk_tpm *tpm, const TPM2B_PUBLIC *template,
                struct hwk_tpm_born *b)
{
    struct hwk_tpm_hierarchy_by by;
    struct hwk_tpm_primary m;
    if (!hwk_tpm_mark(tpm))
        return 0;
    hwk_tpm_spare(tpm, hwk_tpm_born_loaded(tpm) + 1);
    int ok = hwk_tpm_hierarchy_open(tpm, TPM2_RH_ENDORSEMENT, NULL, &by) &&
             command(tpm, template, &by, &m);
    b->generation = tpm->generation;
    if (ok)
        b->tr = m.tr;
    if (ok && !take(tpm, template, &m, b)) {
        hwk_tpm_flush(tpm, &b->tr);
        ok = 0;
    }
    hwk_tpm_hierarchy_clear(&by);
    return ok;
}

/* --- what is told of it --- */

static int describe(const struct hwk_tpm_born *b, struct hwk_born *out)
{
    struct hwk_born told = {.what = b->what,
                            .handle = b->handle,
                            .name_n = b->name.size,
                            .fresh = !b->object};
    size_t ticket_n = 0;
    TSS2_RC rc = Tss2_MU_TPMT_PUBLIC_Marshal(&b->pub.publicArea, told.pub,
                                             sizeof(told.pub), &told.pub_n);
    memcpy(told.name, b->name.name, b->name.size);
    if (rc == TSS2_RC_SUCCESS && told.fresh)
        rc = Tss2_MU_TPMT_TK_CREATION_Marshal(&b->ticket, told.ticket,
                                              sizeof(told.ticket), &ticket_n);
    if (rc != TSS2_RC_SUCCESS)
        return hwk_raise(HWK_R_KEY, "the key's public area is too long");
    told.ticket_n = (uint16_t)ticket_n;
    told.creation_n = b->creation.size;
    memcpy(told.creation, b->creation.buffer, b->creation.size);
    *out = told;
    return 1;
}

static int create(struct hwk_tpm *tpm, const TPM2B_PUBLIC *template,
                  enum hwk_devid what, TPM2_HANDLE handle, struct hwk_born *out)
{
    ESYS_TR tr;
    struct hwk_tpm_born *b = hwk_tpm_born_new(tpm);
    if (!b)
        return 0;
    b->what = what;
    if ((handle != 0 && !find(tpm, template, handle, b)) ||
        (!b->object && !make(tpm, template, b)))
        return 0;
    hwk_tpm_born_keep(tpm);
    if (describe(b, out) && hwk_tpm_born_find(tpm, out, &tr)) {
        if (what == HWK_DEVID_EK)
            hwk_tpm_born_salts(tpm, b);
        return 1;
    }
    hwk_tpm_born_drop(tpm, b);
    return 0;
}

int hwk_tpm_devid_create(void *state, enum hwk_devid what, const char *type,
                         uint32_t cert_index, uint32_t handle,
                         struct hwk_born *out)
{
    TPM2B_PUBLIC template;
    if (!hwk_tpm_borns(state) || !hwk_tpm_begin(state))
        return 0;
    int ok = (what == HWK_DEVID_EK
                  ? template_of_ek(state, type, cert_index, &template)
                  : template_of_type(what, type, &template)) &&
             create(state, &template, what, handle, out);
    hwk_tpm_end(state);
    return ok;
}
