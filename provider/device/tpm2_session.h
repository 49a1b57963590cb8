/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: what keeps a bus from hearing secrets and from forging answers. */
#ifndef HWK_TPM2_SESSION_H
#define HWK_TPM2_SESSION_H

#include <stdbool.h>

#include <tss2/tss2_esys.h>

#include "provider/device/tpm2_salt.h"

struct hwk_tpm;
struct hwk_secret;

/* What of a command is secret (bits): its first parameter, its response's. */
#define HWK_TPM_NO_SECRET 0u
#define HWK_TPM_SECRET_SENT 1u
#define HWK_TPM_SECRET_BACK 2u

/* What of the sensitive part of a new object is secret; pure. */
unsigned hwk_tpm_secret_in(const TPM2B_SENSITIVE_CREATE *s);

/* A session in the TPM. */
struct hwk_tpm_held {
    ESYS_TR tr; /* ESYS_TR_NONE: none */
    TPM2_SE type;
    TPMI_ALG_HASH alg;
    bool salted;
    uint8_t key[sizeof(TPMU_HA)]; /* of its HMACs, see tpm2_newsession.h */
    size_t key_n;                 /* 0: not salted */
    bool used;  /* handed out, and not yet said what came of it */
    bool dirty; /* of a policy session: something may be satisfied */
};

/* The part of struct hwk_tpm, and as that under its lock. */
struct hwk_tpm_sessions {
    struct hwk_tpm_salt salt;
    struct hwk_tpm_held hmac, policy;
    struct hwk_tpm_held aside; /* a policy session of the first of two
                                  authorizations; never kept */
    bool keep_policy; /* until leave: policy is for more than one command */
    struct hwk_tpm_held *current; /* of the command that comes; NULL: none */
    struct hwk_tpm_held *also;    /* of its first authorization, when current
                                     is of its second */
    bool starting; /* what is sent now is for the start of a session */
    bool retried;  /* a lost one was started anew since begin */
    bool shielded; /* the last command was authorised by one of them */
    bool last;     /* nothing comes after the next command until leave */
};

/*
 * The functions below are called between begin and end.
 *
 * Sessions are salted: their key is made of a secret that only this TPM can
 * decrypt (tpm2_salt.h), so that nobody between us and the TPM can read what
 * they encrypt (SHA-256, AES-128-CFB) or make an answer that is taken for the
 * TPM's, by ESYS or, of commands sent past it, by tpm2_authcall.h. Behind a
 * resource manager one of each kind is kept for all commands; without one a
 * session is for one command, which ends it, but that from hwk_tpm_enter to
 * hwk_tpm_leave the HMAC session is kept, and where it is there it is used,
 * since it costs nothing then; it goes with leave, or with the command before
 * which hwk_tpm_sessions_last was called. So is a policy session where
 * keep_policy says that another use of it is to come.
 *
 * The pattern of every authorised command:
 *
 *     do {
 *         if (!hwk_tpm_authorize(tpm, object, auth, secret, &session))
 *             return 0;
 *         rc = Esys_...(esys, object, session, ...);
 *     } while (hwk_tpm_again(tpm, rc));
 *     return hwk_tpm_check(tpm, rc, ...);
 */

/* The one place that says how a command is authorised, auth being the object's
 * value, NULL an empty one. A password session, which costs no command, when
 * the value is empty and nothing else is secret, or when the configuration has
 * tpm-sessions = never; otherwise the HMAC session. What ESYS is told of auth
 * is wiped by hwk_tpm_again or end. 1, or 0 with a reason. */
int hwk_tpm_authorize(struct hwk_tpm *tpm, ESYS_TR object,
                      const struct hwk_secret *auth, unsigned secret,
                      ESYS_TR *session);

/* The same for a command that takes no authorisation: *session is
 * ESYS_TR_NONE when it goes without one. */
int hwk_tpm_shield(struct hwk_tpm *tpm, unsigned secret, ESYS_TR *session);

/* Makes sure, before something is encrypted with it, that pub is what tr has in
 * the TPM: reads it in a session (one command and what that takes). Nothing
 * when tpm-sessions = never. 1, or 0 with a reason, HWK_R_BUS when it is not.
 */
int hwk_tpm_prove_public(struct hwk_tpm *tpm, ESYS_TR tr,
                         const TPM2B_PUBLIC *pub);

/* The next command, sent again or not, is the last for the HMAC session of
 * several turns in one: unless a resource manager is there it ends it. end
 * takes that back. */
void hwk_tpm_sessions_last(struct hwk_tpm *tpm);

/* To be told what the command gave, before hwk_tpm_check. True once between
 * begin and end, when the TPM no longer knew the session: then do all again
 * from hwk_tpm_authorize on. Nothing was tried with the auth value then. */
bool hwk_tpm_again(struct hwk_tpm *tpm, TSS2_RC rc);

/*
 * A policy session with nothing satisfied; salted where something is secret (an
 * auth value is proved in it, or the command has a secret), as by
 * hwk_tpm_authorize. Behind a resource manager it is that of before, without a
 * command when all went well then and alg is the same, after a PolicyRestart
 * otherwise. Policy commands follow, each one may be told to hwk_tpm_again
 * (true: do all again from here on), then hwk_tpm_policy_authorize and the
 * command that the session authorises. Left alone after an error, it is taken
 * care of by end. 1, or 0 with a reason.
 */
int hwk_tpm_policy_session(struct hwk_tpm *tpm, TPMI_ALG_HASH alg, bool secret,
                           ESYS_TR *session);

/* For hwk_tpm_authorize when the policy session is what authorises the next
 * command. auth matters after PolicyAuthValue and PolicyPassword only. */
int hwk_tpm_policy_authorize(struct hwk_tpm *tpm, ESYS_TR object,
                             const struct hwk_secret *auth, unsigned secret);

/* For a command that takes two authorizations, after
 * hwk_tpm_policy_authorize: hwk_tpm_authorize of its second. */
int hwk_tpm_authorize_also(struct hwk_tpm *tpm, ESYS_TR object,
                           const struct hwk_secret *auth, ESYS_TR *session);

/*
 * For a command whose two authorizations are policies, or whose second may be
 * anything: the policy session that was satisfied is put aside for the first.
 * Then that of the second is made, and hwk_tpm_policy_authorize or
 * hwk_tpm_authorize called for it, and last hwk_tpm_aside_authorize for the
 * first, object.
 */
void hwk_tpm_policy_aside(struct hwk_tpm *tpm);
int hwk_tpm_aside_authorize(struct hwk_tpm *tpm, ESYS_TR object,
                            unsigned secret);

/* The session that one of these functions handed out by that ESYS handle; NULL:
 * none. */
struct hwk_tpm_held *hwk_tpm_session_of(struct hwk_tpm *tpm, ESYS_TR session);

/* Whether hwk_tpm_authorize would give a password session for a command without
 * a secret: then it may as well be sent past ESYS (tpm2_call.h). */
bool hwk_tpm_plain(const struct hwk_tpm *tpm, const struct hwk_secret *auth);

/* For tpm2_conn.c: what is left of a turn (before end unmarks), and of several
 * in one (before leave ends it); and when the ESYS context is gone with all in
 * it. */
void hwk_tpm_sessions_leave(struct hwk_tpm *tpm);
void hwk_tpm_sessions_end(struct hwk_tpm *tpm);
void hwk_tpm_sessions_forget(struct hwk_tpm *tpm);

#endif
