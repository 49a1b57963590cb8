/* SPDX-License-Identifier: Apache-2.0 */
/* Device identity keys by their purpose: at their handle, or made again. */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/device/tpm2_bad.h"
#include "provider/device/tpm2_devid.h"
#include "provider/device/tpm2_make.h"
#include "provider/device/tpm2_nv.h"
#include "provider/device/tpm2_nvitem.h"
#include "provider/device/tpm2_public.h"
#include "provider/device/tpm2_query.h"
#include "provider/log.h"
#include "provider/spki.h"

#define LIST_MAX 256

/* Which template gave the key of the certificate, and that key's Name: the
 * TPM's, for this process. */
struct hwk_tpm_devid_known {
    struct {
        bool set;
        struct hwk_tpm_devid as;
        TPM2B_NAME name;
    } of[2];
};

/* a key being made again */
struct search {
    const struct hwk_tpm_query *q;
    enum hwk_tpm_name purpose;
    const char *only;        /* what the URI's template= names; NULL: nothing */
    struct hwk_secret *auth; /* of the endorsement hierarchy */
    TPM2_HANDLE cert;        /* the index of the certificate; 0: none */
    struct hwk_pub pub;      /* its key */
    char tried[LIST_MAX];
    struct hwk_tpm_devid as;
    struct hwk_tpm_object *o; /* what was found */
};

static const char *purpose_name(enum hwk_tpm_name purpose)
{
    return purpose == HWK_TPM_IDEVID ? "IDevID" : "IAK";
}

/* --- certificates: where they belong, else where older scripts put them --- */

static const TPM2_HANDLE *cert_handles(enum hwk_tpm_name purpose)
{
    static const TPM2_HANDLE idevid[] = {0x01C90200, 0x01C90000, 0};
    static const TPM2_HANDLE iak[] = {0x01C90100, 0x01C90008, 0};
    return purpose == HWK_TPM_IDEVID ? idevid : iak;
}

static int give_certs(const struct hwk_tpm_query *q)
{
    const TPM2_HANDLE *at = cert_handles(q->uri->tpm);
    struct hwk_tpm_query certs = *q;
    unsigned given = 0;
    int rc = 1;
    certs.want = q->want & HWK_WANT_CERT;
    certs.given = &given;
    for (; *at && certs.want && rc > 0 && given == 0; at++)
        rc = hwk_tpm_find_nv(&certs, *at, false);
    *q->given += given;
    return rc;
}

static int take_key(void *arg, enum hwk_object_type type, const uint8_t *der,
                    size_t n)
{
    const uint8_t *spki;
    size_t spki_n;
    if (type != HWK_OBJ_CERT)
        return 1;
    return hwk_spki_of_cert(der, n, &spki, &spki_n) &&
                   hwk_spki_to_pub(spki, spki_n, arg)
               ? 0
               : -1;
}

/* The key of the first certificate at the index: 1 there is one, 0 there is
 * none, -1 with a reason. */
static int cert_key(struct hwk_tpm *tpm, TPM2_HANDLE index, struct hwk_pub *pub)
{
    const struct hwk_tpm_nv_how how = {.careful = true};
    struct hwk_tpm_nv nv;
    ERR_set_mark();
    if (!hwk_tpm_nv_bytes(tpm, index, &how, &nv)) {
        bool absent = hwk_err_is(HWK_R_NOT_FOUND);
        if (absent)
            ERR_pop_to_mark();
        else
            ERR_clear_last_mark();
        return absent ? 0 : -1;
    }
    ERR_clear_last_mark();
    int rc = hwk_tpm_nv_items(nv.data, nv.n, take_key, pub);
    hwk_tpm_nv_clear(&nv);
    return rc == 0 ? 1 : rc == 1 ? 0 : -1;
}

/* --- one candidate --- */

static int refused(const struct search *s)
{
    return s->auth ? hwk_raise(HWK_R_PIN_INCORRECT,
                               "TPM %s: the endorsement hierarchy refused the "
                               "authorization value that was given",
                               s->q->tpm->name)
                   : hwk_raise(HWK_R_PIN_MISSING,
                               "TPM %s: the endorsement hierarchy, of which "
                               "the %s is made again, has an authorization "
                               "value: give it with ?pass, pin-source or "
                               "pin-value in the URI",
                               s->q->tpm->name, purpose_name(s->purpose));
}

static struct hwk_tpm_object *create(const struct search *s,
                                     const TPM2B_PUBLIC *template)
{
    static const TPM2B_NAME hierarchy = {
        .size = 4, .name = {0x40, 0x00, 0x00, 0x0b}}; /* its handle */
    struct hwk_tpm *tpm = s->q->tpm;
    if (hwk_tpm_bad_is(tpm, &hierarchy, s->auth)) {
        refused(s);
        return NULL;
    }
    struct hwk_tpm_object *o =
        hwk_tpm_object_primary(tpm, TPM2_RH_ENDORSEMENT, s->auth, template);
    if (!o && hwk_err_is(HWK_R_PIN_INCORRECT)) {
        hwk_tpm_bad_add(tpm, &hierarchy, s->auth);
        refused(s);
    }
    return o;
}

/* is it the one that is looked for? */
static bool is_it(const struct search *s, const struct hwk_tpm_object *o,
                  const TPM2B_NAME *name)
{
    struct hwk_pub pub;
    if (name)
        return o->name.size == name->size &&
               memcmp(o->name.name, name->name, name->size) == 0;
    return !s->cert ||
           (hwk_tpm_public(&o->pub, &pub) && hwk_pub_eq(&pub, &s->pub));
}

static void remember(struct search *s)
{
    struct hwk_tpm *tpm = s->q->tpm;
    if (!tpm->devid)
        tpm->devid = OPENSSL_zalloc(sizeof(*tpm->devid));
    if (!tpm->devid)
        return;
    unsigned i = s->purpose == HWK_TPM_IAK;
    tpm->devid->of[i].set = s->cert != 0;
    tpm->devid->of[i].as = s->as;
    tpm->devid->of[i].name = s->o->name;
}

void hwk_tpm_devid_forget(struct hwk_tpm *tpm)
{
    OPENSSL_free(tpm->devid);
    tpm->devid = NULL;
}

/* Makes the key of d: 1 with s->o when it is the one (of that Name, if name is
 * not NULL), 0 when it is not and is gone again, -1 with a reason. */
static int attempt(struct search *s, const struct hwk_tpm_devid *d,
                   const TPM2B_NAME *name)
{
    struct hwk_tpm *tpm = s->q->tpm;
    TPM2B_PUBLIC template;
    if (!hwk_tpm_devid_template(d, &template))
        return hwk_raise(HWK_R_MEMORY, "TPM template") - 1;
    if (!hwk_tpm_begin(tpm))
        return -1;
    struct hwk_tpm_object *o = create(s, &template);
    bool it = o && is_it(s, o, name);
    if (it) {
        s->o = o;
        s->as = *d;
        if (!name)
            remember(s);
    } else if (o) {
        hwk_tpm_object_close(tpm, o);
    }
    hwk_tpm_end(tpm);
    return it ? 1 : o ? 0 : -1;
}

/* --- which of them --- */

/* what the process knows of before; as attempt gives */
static int attempt_known(struct search *s)
{
    struct hwk_tpm *tpm = s->q->tpm;
    unsigned i = s->purpose == HWK_TPM_IAK;
    if (!hwk_tpm_begin(tpm))
        return -1;
    bool set = tpm->devid && tpm->devid->of[i].set;
    struct hwk_tpm_devid as = {.purpose = s->purpose};
    TPM2B_NAME name = {.size = 0};
    if (set) {
        as = tpm->devid->of[i].as;
        name = tpm->devid->of[i].name;
    }
    hwk_tpm_end(tpm);
    if (!set || (s->only && !hwk_tpm_devid_is(&as, s->only)))
        return 0;
    return attempt(s, &as, &name);
}

static void note_tried(struct search *s, const struct hwk_tpm_devid *d)
{
    char name[HWK_TPM_DEVID_NAME_MAX];
    size_t at = strlen(s->tried);
    hwk_tpm_devid_name(d, name);
    snprintf(s->tried + at, sizeof(s->tried) - at, "%s%s", at ? ", " : "",
             name);
}

/* all that can be it, or without a certificate the first; as attempt gives */
static int attempt_each(struct search *s)
{
    struct hwk_tpm_devid d;
    int rc = 0;
    for (size_t i = 0; rc == 0 && hwk_tpm_devid_nth(s->purpose, i, &d); i++) {
        if ((s->only && !hwk_tpm_devid_is(&d, s->only)) ||
            (s->cert && !hwk_tpm_devid_like(&d, &s->pub)))
            continue;
        rc = attempt(s, &d, NULL);
        note_tried(s, &d);
    }
    return rc;
}

static int nothing_fits(const struct search *s)
{
    char what[64];
    hwk_pub_describe(&s->pub, what, sizeof(what));
    hwk_raise(
        HWK_R_KEY,
        "TPM %s: no %s template%s%s gives the key (%s) of the certificate "
        "in NV index 0x%08x; tried: %s",
        s->q->tpm->name, purpose_name(s->purpose), s->only ? " " : "",
        s->only ? s->only : "", what, s->cert,
        s->tried[0] ? s->tried : "none, since none is of that kind");
    return -1;
}

/* Each certificate limits the candidates to its kind; with none there, the
 * kind is the URI's or P-256, in our own dialect. 1, or -1 with a reason. */
static int search(struct search *s)
{
    int rc = attempt_known(s);
    for (const TPM2_HANDLE *at = cert_handles(s->purpose); rc == 0 && *at;
         at++) {
        rc = cert_key(s->q->tpm, *at, &s->pub);
        if (rc > 0) {
            s->cert = *at;
            rc = attempt_each(s);
        }
    }
    if (rc == 0)
        return s->cert ? nothing_fits(s) : attempt_each(s);
    return rc;
}

/* --- giving it out --- */

static void report(const struct search *s, const char *template)
{
    char index[16];
    snprintf(index, sizeof(index), "0x%08x", s->cert);
    hwk_log(HWK_LOG_INFO, "tpm-devid", "key", purpose_name(s->purpose),
            "template", template, "certificate", s->cert ? index : NULL);
}

/* takes s->o */
static int give_key(struct search *s)
{
    struct hwk_tpm *tpm = s->q->tpm;
    struct hwk_tpm_key *key = NULL;
    struct hwk_found found;
    char template[HWK_TPM_DEVID_NAME_MAX];
    hwk_tpm_devid_name(&s->as, template);
    report(s, template);
    if (hwk_tpm_begin(tpm)) {
        key = hwk_tpm_key_new(tpm, s->o, NULL);
        hwk_tpm_end(tpm);
    } else {
        hwk_tpm_object_release(tpm, s->o);
    }
    if (!key || !hwk_tpm_found_key(tpm, key, &found))
        return -1;
    snprintf(found.uri, sizeof(found.uri), "tpm2:%s;template=%s",
             s->purpose == HWK_TPM_IDEVID ? "idevid" : "iak", template);
    snprintf(found.label, sizeof(found.label), "%s", purpose_name(s->purpose));
    return hwk_tpm_give_key(s->q, &found);
}

static int check_template(const char *text)
{
    return !text || hwk_tpm_devid_known(text) ||
           hwk_raise(HWK_R_BAD_URI,
                     "template: %s is none of H-1, H-2, H-3 and H-4, "
                     "with a dialect behind (H-2/swtpm, H-2/keylime, "
                     "H-2/wolftpm, and these with -null) or without",
                     text);
}

static int make_again(const struct hwk_tpm_query *q)
{
    struct search s = {.q = q,
                       .purpose = q->uri->tpm,
                       .only = (const char *)q->uri->template.p};
    bool quiet = !(q->want & HWK_WANT_PRIVATE); /* nobody is asked then */
    if (!check_template(s.only) ||
        ((!quiet || (q->pin && hwk_pin_at_hand(q->pin))) &&
         !hwk_tpm_ask_auth(q->uri, q->pin, TPM2_RH_ENDORSEMENT, &s.auth)))
        return -1;
    int rc = search(&s);
    if (rc > 0)
        rc = give_key(&s);
    hwk_secret_free(s.auth);
    return rc;
}

static bool known(struct hwk_tpm *tpm, enum hwk_tpm_name purpose)
{
    hwk_tpm_hold(tpm);
    bool set = tpm->devid && tpm->devid->of[purpose == HWK_TPM_IAK].set;
    hwk_tpm_let_go(tpm);
    return set;
}

int hwk_tpm_find_devid(const struct hwk_tpm_query *q)
{
    enum hwk_tpm_name purpose = q->uri->tpm;
    unsigned before = *q->given;
    int rc = 1;
    if (q->want & (HWK_WANT_PRIVATE | HWK_WANT_PUBLIC)) {
        if (!q->uri->template.p && !known(q->tpm, purpose))
            rc = hwk_tpm_find_at(q, purpose == HWK_TPM_IDEVID
                                        ? HWK_TPM_IDEVID_HANDLE
                                        : HWK_TPM_IAK_HANDLE);
        if (rc > 0 && *q->given == before)
            rc = make_again(q);
    }
    return rc > 0 ? give_certs(q) : rc;
}
