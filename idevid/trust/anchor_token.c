/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profile "token": a record as a public data object of a PKCS#11 token,
 * signed by the IDevID key.
 *
 * Objects are only ever added. The first record is "idevid-anchor", its end
 * "idevid-anchor.0.end", the next record "idevid-anchor.1", and so on: each is
 * made by one call, which a token does or does not, and where the token honours
 * CKA_DESTROYABLE none can be taken away, so that a record that was ended can
 * never be brought back by a program that uses the token. In tokens without it,
 * and behind the token's back (the files of SoftHSM), that is possible and not
 * noticed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <openssl/x509.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "key/key.h"
#include "trust/anchor.h"
#include "trust/token_object.h"

#define ENDS_MAX 65536 /* resets of one device: more are no honest ones */
#define MENDS_MAX 64   /* ends that one reset puts right */

struct token {
    struct idv_device *dev;    /* borrowed */
    char head[400], tail[128]; /* URI before and after the end of its name */
    char key[512], cert[512];
    EVP_PKEY *pub; /* of the IDevID certificate, once it was needed */
};

/* --- names ---------------------------------------------------------------- */

struct name {
    char uri[560];
};

static struct name name_of(const struct token *a, uint64_t number, bool end)
{
    struct name n;
    char suffix[32] = "";
    if (number || end)
        snprintf(suffix, sizeof(suffix), ".%llu%s", (unsigned long long)number,
                 end ? ".end" : "");
    snprintf(n.uri, sizeof(n.uri), "%s%s%s", a->head, suffix, a->tail);
    return n;
}

/* where object=NAME ends in uri */
static idv_rc split(struct token *a, const char *uri)
{
    const char *at = strstr(uri, "object=");
    if (strncasecmp(uri, "pkcs11:", 7) != 0 || !at ||
        (at[-1] != ':' && at[-1] != ';'))
        return idv_fail(IDV_E_ARG, "anchor: '%.60s' names no object of a token",
                        uri);
    const size_t n = (size_t)(at - uri) + strcspn(at, ";?");
    IDV_TRY(
        idv_text_copy(a->head, sizeof(a->head), idv_bytes(uri, n), "anchor"));
    return idv_text_copy(a->tail, sizeof(a->tail), idv_str(uri + n), "anchor");
}

/* An object of the device, as idevid-factory leaves it. */
static idv_rc beside(struct idv_device *dev, const char *given,
                     const char *type, char out[static 512])
{
    const char *uri = idvi_device_uri(dev);
    if (given)
        return idv_text_copy(out, 512, idv_str(given), "IDevID");
    const size_t n = strcspn(uri, "?");
    const int put =
        snprintf(out, 512, "%.*s%sobject=idevid;type=%s%s", (int)n, uri,
                 n > strlen("pkcs11:") ? ";" : "", type, uri + n);
    return put < 512 ? IDV_OK : idv_fail(IDV_E_ARG, "the device's URI is long");
}

/* --- one object ----------------------------------------------------------- */

static idv_rc judged_by(struct token *a, EVP_PKEY **out)
{
    IDV_AUTO_PTR(X509) cert = NULL;
    if (!a->pub) {
        idv_rc rc = idv_cert_open(a->cert, idvi_device_pin(a->dev), &cert);
        if (rc != IDV_OK)
            return idv_fail_within(rc, "anchor: the IDevID certificate, which "
                                       "judges its signature");
        a->pub = X509_get_pubkey(cert);
    }
    *out = a->pub;
    return a->pub ? IDV_OK : idv_fail(IDV_E_CRYPTO, "anchor: IDevID");
}

static idv_rc check_object(const struct idv_object *o)
{
    if (o->fleeting)
        return idv_fail(IDV_E_REJECT, "it is none of the token: it goes with "
                                      "its session");
    if (o->hidden)
        return idv_fail(IDV_E_REJECT, "it is private");
    if (!o->write_locked)
        return idv_fail(IDV_E_REJECT, "it can be modified");
    return IDV_OK;
}

/* Several of that name: IDV_E_ARG from below, and none is believed. */
static idv_rc inspect(struct token *a, const char *uri, bool *found,
                      struct idv_object *o, struct idv_buf *raw)
{
    idv_rc rc = idv_device_inspect(a->dev, uri, found, o, raw);
    return rc == IDV_E_ARG ? IDV_E_REJECT : rc;
}

static idv_rc fetch(struct token *a, enum idvi_token_kind kind, uint64_t number,
                    bool *found, struct idvi_token_object *out)
{
    const struct name name = name_of(a, number, kind == IDVI_TOKEN_END);
    IDV_AUTO(buf) raw = {0};
    struct idv_object o;
    EVP_PKEY *key;
    IDV_TRY(inspect(a, name.uri, found, &o, &raw));
    if (!*found)
        return IDV_OK;
    IDV_TRY(judged_by(a, &key));
    idv_rc rc = check_object(&o);
    if (rc == IDV_OK)
        rc = idvi_token_object_check(idv_view(&raw), kind, number, key, out);
    return rc == IDV_OK ? IDV_OK
                        : idv_fail_within(rc, "anchor object '%s'", o.label);
}

/* Greater whenever somebody looks: as great as before is an older state. */
static idv_rc check_counter(struct token *a, const struct idvi_token_object *o)
{
    uint64_t now = 0;
    bool offered, was_reset;
    if (!(o->flags & IDVI_TOKEN_COUNTER))
        return IDV_OK;
    IDV_TRY(idv_device_count(a->dev, &offered, &now, &was_reset));
    if (!offered)
        return idv_fail(IDV_E_REJECT, "anchor: the token has lost its "
                                      "monotonic counter, or is another one");
    if (now <= o->counter)
        return idv_fail(IDV_E_REJECT,
                        "anchor: the token's monotonic counter is behind: %llu "
                        "now, %llu at the imprint",
                        (unsigned long long)now,
                        (unsigned long long)o->counter);
    return IDV_OK;
}

static idv_rc check_generation(const struct idvi_token_object *o)
{
    struct idv_record r;
    IDV_TRY(idv_record_from_bytes(idv_bytes(o->record, sizeof(o->record)), &r));
    if (r.generation != o->number + 1)
        return idv_fail(IDV_E_REJECT,
                        "anchor: generation %llu in the place of %llu",
                        (unsigned long long)r.generation,
                        (unsigned long long)o->number + 1);
    return IDV_OK;
}

/* --- how many records were ended ------------------------------------------ */

struct ends {
    uint64_t low, high; /* so many at least, and at most */
    uint64_t at;        /* the one that was looked at last */
    bool gap;           /* why it is refused: it is gone, others are there */
};

static idv_rc narrow(struct token *a, struct ends *e)
{
    struct idvi_token_object end;
    bool found;
    IDV_TRY(fetch(a, IDVI_TOKEN_END, e->at, &found, &end));
    if (found) {
        e->low = e->at + 1;
    } else {
        e->high = e->at;
    }
    return IDV_OK;
}

/* What stands behind it shows that an end was taken away. The last one's is the
 * record that came after it. */
static idv_rc check_gap(struct token *a, struct ends *e)
{
    for (int end = 0; end <= 1 && !e->gap; end++) {
        IDV_AUTO(buf) raw = {0};
        struct idv_object o;
        idv_rc rc =
            inspect(a, name_of(a, e->at + 1, end).uri, &e->gap, &o, &raw);
        e->gap |= rc == IDV_E_REJECT;
        IDV_TRY(rc);
    }
    return !e->gap ? IDV_OK
                   : idv_fail(IDV_E_REJECT,
                              "anchor: the end of record %llu was removed: "
                              "later ones are there",
                              (unsigned long long)e->at);
}

/* They are numbered without gaps: the first that is missing is found by
 * doubling, then halving. */
static idv_rc count_ends(struct token *a, struct ends *e)
{
    *e = (struct ends){.high = ENDS_MAX};
    while (e->low < e->high) {
        e->at = e->high < ENDS_MAX ? e->low + (e->high - e->low) / 2
                                   : 2 * e->low - (e->low > 0);
        IDV_TRY(narrow(a, e));
    }
    if (e->low == ENDS_MAX)
        return idv_fail(IDV_E_LIMIT, "anchor: more than %d resets", ENDS_MAX);
    e->at = e->low;
    return check_gap(a, e);
}

/* --- the table ------------------------------------------------------------ */

/* The counter is to the generation as that of a TPM: one more when sealed, two
 * or more when that record was ended. */
static idv_rc token_read(void *self, const struct idv_anchor_memo *memo,
                         struct idv_anchor_seen *out)
{
    struct token *a = self;
    struct idvi_token_object o;
    struct ends ends;
    bool found;
    (void)memo;
    IDV_TRY(count_ends(a, &ends));
    IDV_TRY(fetch(a, IDVI_TOKEN_RECORD, ends.at, &found, &o));
    if (found) {
        IDV_TRY(check_generation(&o));
        IDV_TRY(check_counter(a, &o));
        memcpy(out->record, o.record, sizeof(out->record));
    }
    out->found = found ? IDV_ANCHOR_SEALED : IDV_ANCHOR_NOTHING;
    out->counter = ends.at + 2;
    return IDV_OK;
}

static idv_rc token_prepare(void *self, struct idv_anchor_memo *memo)
{
    struct token *a = self;
    struct idv_anchor_seen seen = {0};
    IDV_TRY(token_read(a, NULL, &seen));
    if (seen.found != IDV_ANCHOR_NOTHING)
        return idv_fail(IDV_E_STATE,
                        "anchor: the token holds a record already");
    strcpy(memo->profile, "token");
    strcpy(memo->cap, "none");
    memo->generation = seen.counter - 1;
    return IDV_OK;
}

static idv_rc put(struct token *a, struct idvi_token_object *o)
{
    const struct name name = name_of(a, o->number, o->kind == IDVI_TOKEN_END);
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO(buf) raw = {0};
    bool offered, was_reset;
    IDV_TRY(idv_device_count(a->dev, &offered, &o->counter, &was_reset));
    o->flags = offered ? IDVI_TOKEN_COUNTER : 0;
    IDV_TRY(idv_key_open(a->key, idvi_device_pin(a->dev), &key));
    IDV_TRY(idvi_token_object_make(o, key, &raw));
    return idv_device_write(a->dev, name.uri, idv_view(&raw),
                            IDV_WRITE_NEW | IDV_WRITE_LOCK | IDV_WRITE_KEEP);
}

static idv_rc token_write(void *self, const struct idv_anchor_memo *memo,
                          struct idv_anchor_seen *out)
{
    struct token *a = self;
    struct idvi_token_object o = {.kind = IDVI_TOKEN_RECORD,
                                  .number = memo->generation - 1};
    memcpy(o.record, memo->record, sizeof(o.record));
    IDV_TRY(put(a, &o));
    IDV_TRY(token_read(a, memo, out));
    if (out->found != IDV_ANCHOR_SEALED ||
        memcmp(out->record, memo->record, sizeof(out->record)) != 0)
        return idv_fail(IDV_E_DEVICE, "anchor: reads back differently");
    return IDV_OK;
}

/* one call makes a record: there is nothing between */
static idv_rc token_finish(void *self, struct idv_anchor_memo *memo)
{
    (void)self;
    (void)memo;
    return IDV_OK;
}

static idv_rc token_discard(void *self)
{
    (void)self;
    return IDV_OK;
}

/* What is there, if only to be ended: it may be anything. */
static idv_rc to_be_ended(struct token *a, uint64_t number, bool *found,
                          struct idv_object *o, struct idvi_token_object *end)
{
    const struct name name = name_of(a, number, false);
    IDV_AUTO(buf) raw = {0};
    *end = (struct idvi_token_object){.kind = IDVI_TOKEN_END, .number = number};
    idv_rc rc = inspect(a, name.uri, found, o, &raw);
    if (rc == IDV_E_REJECT) {
        idv_note_clear();
        *found = true;
        o->kept = false;
        return IDV_OK;
    }
    if (rc == IDV_OK && *found && raw.n > IDVI_TOKEN_HEAD)
        memcpy(end->record, raw.p + 32, sizeof(end->record));
    return rc;
}

/* An end that is none is in the way of the true one. */
static idv_rc clear_false_end(struct token *a, uint64_t number)
{
    const struct name name = name_of(a, number, true);
    idv_rc rc = idv_device_erase(a->dev, name.uri);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "anchor: a forged end of the record, which "
                                   "only initialising the token removes");
    return IDV_OK;
}

static idv_rc put_end(struct token *a, uint64_t number)
{
    struct idvi_token_object end = {.kind = IDVI_TOKEN_END, .number = number};
    return put(a, &end);
}

/* Counts, and if it has to, after what is false was taken away and what is
 * missing was put back. */
static idv_rc count_mended(struct token *a, struct ends *e, bool *mended)
{
    idv_rc rc;
    *mended = false;
    for (int i = 0; i < MENDS_MAX; i++) {
        rc = count_ends(a, e);
        if (rc != IDV_E_REJECT)
            return rc;
        idv_note_clear();
        *mended = true;
        IDV_TRY(e->gap ? put_end(a, e->at) : clear_false_end(a, e->at));
    }
    return idv_fail(IDV_E_REJECT,
                    "anchor: more than %d ends of records are forged or gone",
                    MENDS_MAX);
}

/* The end is what counts; the ended record goes where the token lets it. An end
 * that was cleared may have been a true one: there is one then in any case. */
static idv_rc token_reset(void *self)
{
    struct token *a = self;
    struct idvi_token_object end;
    struct idv_object o = {0};
    struct ends ends;
    bool found, mended;
    IDV_TRY(count_mended(a, &ends, &mended));
    IDV_TRY(to_be_ended(a, ends.at, &found, &o, &end));
    if (!found && !mended)
        return IDV_OK;
    IDV_TRY(put(a, &end));
    if (found && !o.kept &&
        idv_device_erase(a->dev, name_of(a, ends.at, false).uri))
        idv_note_clear();
    return IDV_OK;
}

static void token_close(void *self)
{
    struct token *a = self;
    EVP_PKEY_free(a->pub);
    OPENSSL_cleanse(a, sizeof(*a)); /* a URI may have a PIN */
    free(a);
}

#define TABLE(claim)                                                           \
    {                                                                          \
        .profile = "token", .assurance = (claim), .prepare = token_prepare,    \
        .write = token_write, .read = token_read, .finish = token_finish,      \
        .discard = token_discard, .reset = token_reset, .close = token_close,  \
    }
static const struct idv_anchor_ops hardware = TABLE("detect");
/* files: whose they are can put back older ones, or others */
static const struct idv_anchor_ops software = TABLE("none");

static idv_rc fill(struct token *a, struct idv_device *dev,
                   const struct idv_anchor_conf *conf)
{
    a->dev = dev;
    IDV_TRY(split(a, conf->uri ? conf->uri : IDV_ANCHOR_P11_URI));
    IDV_TRY(beside(dev, conf->idevid_key, "private", a->key));
    return beside(dev, conf->idevid_certificate, "cert", a->cert);
}

idv_rc idvi_anchor_token(struct idv_device *dev,
                         const struct idv_device_info *info,
                         const struct idv_anchor_conf *conf,
                         struct idv_anchor *out)
{
    const bool soft =
        strstr(info->maker, "SoftHSM") || strstr(info->model, "SoftHSM");
    struct token *a = calloc(1, sizeof(*a));
    if (!a)
        return idv_fail(IDV_E_NOMEM, "anchor");
    idv_rc rc = fill(a, dev, conf);
    if (rc != IDV_OK) {
        token_close(a);
        return rc;
    }
    *out = (struct idv_anchor){soft ? &software : &hardware, a};
    return IDV_OK;
}
