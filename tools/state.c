/* SPDX-License-Identifier: Apache-2.0 */
/* What a device's own programs begin with: device, places, lock, trust. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "ca.h"
#include "ldevid.h"
#include "state.h"

#define IDEVID_KEPT "tpm2:handle=0x81020000"
#define IDEVID_MADE "tpm2:idevid"

void state_close(struct state *s)
{
    idv_trust_close(s->trust);
    idv_device_close(s->dev);
    idv_fs_unlock(&s->lock);
    s->trust = NULL;
    s->dev = NULL;
}

/* A configured URI, or the place idevid-factory uses. */
static idv_rc place(const struct pledge_conf *conf, const char *given,
                    const char *tpm, const char *object, const char *type,
                    char out[static 512])
{
    if (given)
        return idv_text_copy(out, 512, idv_str(given), "URI");
    if (strncasecmp(conf->uri, "pkcs11:", 7) == 0)
        return tool_object_uri(conf->uri, object, type, out);
    return idv_text_copy(out, 512, idv_str(tpm), "URI");
}

/* "" for where the profile has it. */
static idv_rc anchor_place(const struct pledge_conf *conf, char out[static 512])
{
    if (!conf->anchor_object && conf->anchor.index) {
        snprintf(out, 512, "tpm2:handle=%s", conf->anchor.index);
        return IDV_OK;
    }
    return place(conf, conf->anchor_object, "", "idevid-anchor", "data", out);
}

static idv_rc places(struct state *s)
{
    const struct pledge_conf *c = s->conf;
    IDV_TRY(place(c, c->key, IDEVID_KEPT, "idevid", "private", s->key));
    IDV_TRY(place(c, c->certificate, "tpm2:handle=0x01C90200", "idevid", "cert",
                  s->cert));
    IDV_TRY(anchor_place(c, s->anchor));
    IDV_TRY(place(c, c->ldevid_key, "tpm2:handle=0x81020010", "ldevid",
                  "private", s->ldevid));
    if (c->ldevid_key)
        return IDV_OK;
    return place(c, NULL, "tpm2:handle=0x81020011", "ldevid-2", "private",
                 s->ldevid_other);
}

static idv_rc take_lock(struct state *s)
{
    char path[1024];
    IDV_TRY(idv_fs_mkdir(s->conf->directory, 0700));
    IDV_TRY(tool_path(s->conf->directory, "lock", "", path));
    idv_rc rc = idv_fs_lock(path, s->t->name, &s->lock);
    if (rc == IDV_E_STATE)
        return idv_fail_within(rc, "another program is at work on this device");
    return rc;
}

idv_rc state_begin(struct tool *t, const struct pledge_conf *conf,
                   enum state_use use, struct state *s)
{
    s->t = t;
    s->conf = conf;
    IDV_TRY(places(s));
    if (use == STATE_CHANGE)
        IDV_TRY(take_lock(s));
    return idv_device_open(conf->uri, &tool_pin, &s->dev);
}

idv_rc state_idevid(struct state *s, EVP_PKEY **out)
{
    idv_rc rc = idv_key_open(s->key, &tool_pin, out);
    if (rc != IDV_E_DEVICE || s->conf->key || strcmp(s->key, IDEVID_KEPT) != 0)
        return rc;
    idv_note_clear();
    IDV_TRY(idv_text_copy(s->key, sizeof(s->key), idv_str(IDEVID_MADE), "URI"));
    rc = idv_key_open(s->key, &tool_pin, out);
    return rc == IDV_OK ? rc : idv_fail_within(rc, IDEVID_KEPT " has no key");
}

/* Neither is believed: the TPM has both in its policies. */
static idv_rc approver(const struct state *s, EVP_PKEY **key,
                       struct idv_devid *id)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    const char *file = s->conf->anchor.approval_key;
    if (!file)
        return IDV_OK;
    IDV_TRY(tool_public_key(file, key));
    IDV_TRY(idv_cert_open(s->cert, &tool_pin, &cert));
    return idv_devid_from_cert(cert, id);
}

idv_rc state_anchor(const struct state *s, struct idv_anchor *out)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    struct idv_devid id = {0};
    IDV_TRY(approver(s, &key, &id));
    const struct anchor_conf *c = &s->conf->anchor;
    const int cap = anchor_cap_pcr(c->cap);
    const struct idv_anchor_conf conf = {
        .profile = (enum idv_anchor_profile)c->profile,
        .uri = *s->anchor ? s->anchor : NULL,
        .counter = anchor_handle(c->counter),
        .cap = cap < 0 ? 0 : UINT32_C(1) << cap,
        .gate = anchor_gate(c->gate_pcrs),
        .idevid_key = s->key,
        .idevid_certificate = s->cert,
        .approval_key = key,
        .serial = id.serial_number,
    };
    return idv_anchor_open(s->dev, &conf, out);
}

idv_rc state_open(struct tool *t, const struct pledge_conf *conf,
                  enum state_use use, struct state *s)
{
    struct idv_trust_conf tc = {
        .dir = conf->directory, .env = t->env, .observe = use == STATE_LOOK};
    IDV_TRY(state_begin(t, conf, use, s));
    IDV_TRY(state_anchor(s, &tc.anchor));
    idv_rc rc = idv_trust_open(&tc, &s->trust);
    if (rc != IDV_OK)
        idv_anchor_close(&tc.anchor);
    else if (use == STATE_CHANGE)
        rc = ldevid_tidy(s);
    return rc;
}

bool state_tampered(const struct state *s, idv_rc rc)
{
    return rc == IDV_E_REJECT && s->dev && !s->trust;
}

/* What was tampered with cannot be opened, but it can be taken away. */
static idv_rc wipe(const struct state *s)
{
    struct idv_trust_conf tc = {.dir = s->conf->directory, .env = s->t->env};
    idv_note_clear();
    IDV_TRY(state_anchor(s, &tc.anchor));
    idv_rc rc = idv_trust_wipe(&tc);
    idv_anchor_close(&tc.anchor);
    return rc;
}

static idv_rc drop_crl(const struct state *s)
{
    char path[1024];
    IDV_TRY(tool_path(s->conf->directory, STATE_CRL, "", path));
    return idv_fs_remove(path);
}

idv_rc state_reset(struct state *s)
{
    char uri[512];
    const struct idv_enrollment *e =
        s->trust ? idv_trust_enrollment(s->trust) : NULL;
    snprintf(uri, sizeof(uri), "%s", e ? e->key_uri : s->ldevid);
    IDV_TRY(s->trust ? idv_trust_reset(s->trust) : wipe(s));
    IDV_TRY(drop_crl(s));
    return ldevid_erase(s, uri);
}
