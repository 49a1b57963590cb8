/* SPDX-License-Identifier: Apache-2.0 */
/* Users of EST by password (RFC 7617). */
#include <string.h>

#include <openssl/crypto.h>

#include <idevid/text.h>

#include "idevid/registrar/registrar_call.h"

#define LIFETIME_S (30 * (int64_t)24 * 3600)
#define TRIES 5
#define TRIES_ALL 60 /* of all addresses: each costs a worker's time */
#define MINUTE_S 60

idv_rc idvi_reg_check_users(const struct idv_registrar_users *u)
{
    IDV_AUTO_PTR(X509_NAME) name = NULL;
    if (!u->check)
        return idv_fail(IDV_E_ARG, "registrar: users whom nobody checks");
    return idv_est_subject(u->subject, "user", false, &name);
}

/* A certificate without a device's serial number is a user's. */
int64_t idvi_reg_limit(const struct idvi_reg_call *c)
{
    const struct idv_registrar_users *u = c->ca->users;
    const bool is = c->user[0] || (!c->maker && c->issued.cert.n &&
                                   !c->issued.serial_number[0]);
    if (!u || !is)
        return 0;
    return u->lifetime_s ? u->lifetime_s : LIFETIME_S;
}

/* --- not too often -------------------------------------------------------- */

static uint8_t slot_of(const struct idvi_reg_call *c)
{
    const struct idv_peer *peer = c->call->peer;
    uint8_t hash[32] = {0};
    const char *address = peer ? peer->address : "";
    return idv_sha256(idv_str(address), hash) == IDV_OK ? hash[0] : 0;
}

/* Each try counts as a wrong one until it was right. */
static bool begin_try(struct idvi_reg_call *c, uint8_t slot)
{
    const unsigned most = c->ca->users->tries ? c->ca->users->tries : TRIES;
    struct idvi_tries *t = &c->reg->tries;
    pthread_mutex_lock(&t->lock);
    if (t->minute != c->now / MINUTE_S) {
        t->minute = c->now / MINUTE_S;
        t->all = 0;
        memset(t->of, 0, sizeof(t->of));
    }
    const bool may =
        t->of[slot] < most && t->of[slot] < UINT8_MAX && t->all < TRIES_ALL;
    if (may) {
        t->of[slot]++;
        t->all++;
    }
    pthread_mutex_unlock(&t->lock);
    return may;
}

static void was_right(struct idvi_reg_call *c, uint8_t slot)
{
    struct idvi_tries *t = &c->reg->tries;
    pthread_mutex_lock(&t->lock);
    if (t->of[slot])
        t->of[slot]--;
    if (t->all)
        t->all--;
    pthread_mutex_unlock(&t->lock);
}

/* --- who ------------------------------------------------------------------ */

static idv_rc unauthorized(struct idvi_reg_call *c, const char *why)
{
    strcpy(c->call->reply.authenticate,
           "Basic realm=\"est\", charset=\"UTF-8\"");
    return idvi_refuse(&c->no, 401, why, "user name and password required");
}

/* "Basic" and base64 of NAME:PASSWORD; text is NUL-terminated and secret */
static idv_rc read_pair(const char *field, struct idv_buf *text,
                        char **password)
{
    struct idv_bytes rest = idv_str(field), scheme;
    if (!idv_text_next(&rest, " ", &scheme) ||
        !idv_text_eq_nocase(scheme, "Basic"))
        return idv_fail(IDV_E_FORMAT, "not Basic");
    IDV_TRY(idv_base64_to_bytes(idv_text_trim(rest), IDV_BASE64_STRICT, text));
    const size_t n = text->n;
    if (!n || !memchr(text->p, ':', n) || memchr(text->p, 0, n))
        return idv_fail(IDV_E_FORMAT, "no name and password");
    IDV_TRY(idv_buf_put(text, idv_bytes("", 1)));
    *password = memchr(text->p, ':', n);
    *(*password)++ = 0;
    return IDV_OK;
}

static idv_rc take_name(struct idvi_reg_call *c, const char *name)
{
    if (!*name || !idv_text_printable(idv_str(name)))
        return idv_fail(IDV_E_FORMAT, "no user's name");
    return idv_text_copy(c->user, sizeof(c->user), idv_str(name), "user");
}

static idv_rc check(struct idvi_reg_call *c, const char *name,
                    const char *password)
{
    const struct idv_registrar_users *u = c->ca->users;
    const uint8_t slot = slot_of(c);
    bool ok = false;
    if (!begin_try(c, slot)) {
        idv_rc rc =
            idvi_refuse(&c->no, 503, "password-rate", "try again later");
        c->no.retry_after = MINUTE_S;
        return rc;
    }
    IDV_TRY(u->check(u->arg, name, password, &ok));
    if (!ok) {
        (void)idv_fail(IDV_E_REJECT, "user %s", idv_log_value(name));
        return unauthorized(c, "password");
    }
    was_right(c, slot);
    return idvi_judge(&c->no, take_name(c, name), 403, "user-name",
                      "not a name for a certificate");
}

idv_rc idvi_reg_user(struct idvi_reg_call *c)
{
    IDV_AUTO(buf) text = {.max = 512, .secret = true};
    char *password = NULL;
    const char *field = c->call->req.authorization;
    if (!*field)
        return unauthorized(c, "no-password");
    if (read_pair(field, &text, &password) != IDV_OK)
        return unauthorized(c, "authorization");
    IDV_TRY(check(c, (const char *)text.p, password));
    idv_log(c->reg->env, IDV_LOG_INFO, "user-admitted", "user=%s",
            idv_log_value(c->user));
    return IDV_OK;
}
