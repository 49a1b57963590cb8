/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens: what p11_*.c share. Modules, tokens, sessions and logins belong to
 * the process, as Cryptoki has them, not to one provider context. */
#ifndef HWK_P11_H
#define HWK_P11_H

#include <pthread.h>

#include <libp11.h>
#include <p11-kit/pkcs11.h>

#include "provider/backend.h"

#define P11_IDLE 16           /* sessions kept open for the next operation */
#define P11_BATCH 64          /* handles that one C_FindObjects gives */
#define P11_OBJECTS (1 << 20) /* that fit one search: more is an error */
#define P11_ID_MAX 64
#define P11_VALUE_MAX 65536

/* Every Cryptoki call of ours goes through here and is counted. (libp11's own,
 * at load and at a scan for tokens, are not. libp11 does not log in: it would
 * keep the PIN in plain memory.) What a module that computes with this
 * libcrypto leaves on the error queue is taken away: its return code says what
 * it has to say, and what was queued before stays (unless the module took that
 * away). */
#define P11(module, fn, ...)                                                   \
    (hwk_mark(), p11_settled(P11_MARKED(module, fn, __VA_ARGS__)))

/* The same between a hwk_mark and hwk_settle(1) for several calls: a mark is
 * some hundred instructions. */
#define P11_MARKED(module, fn, ...)                                            \
    (hwk_count(pkcs11_calls), p11_seen(#fn, (module)->f->fn(__VA_ARGS__)))

/* the return code goes into the debug log when that wants every call */
void p11_log_call(const char *fn, CK_RV rv);
static inline CK_RV p11_seen(const char *fn, CK_RV rv)
{
    if (hwk_log_on(HWK_LOG_CALLS))
        p11_log_call(fn, rv);
    return rv;
}
static inline CK_RV p11_settled(CK_RV rv)
{
    hwk_settle(1);
    return rv;
}

struct p11_session {
    CK_SESSION_HANDLE h;
    unsigned epoch; /* of the token when it was opened */
};

struct p11_token {
    struct p11_token *next;
    struct p11_module *module;
    /* from the last scan; written under module->lock, read at any time */
    _Atomic(CK_SLOT_ID) slot_id;
    atomic_bool present, login_required, protected_path;
    atomic_bool unsure;          /* another token may be at slot_id by now */
    bool marked;                 /* within a scan */
    atomic_uint scan;            /* the number of that scan, and what it saw: */
    _Atomic(CK_FLAGS) pin_flags; /* CKF_USER_PIN_* of mistyped PINs */
    /* who it is, for ever */
    char label[33], manufacturer[33], model[17], serial[17];
    char slot_description[65], slot_manufacturer[33];

    pthread_mutex_t lock; /* of what follows; never held over a call */
    pthread_cond_t freed;
    unsigned epoch; /* grows when sessions and handles became worthless */
    unsigned dead;  /* sessions up to this epoch do not exist any more */
    struct p11_session idle[P11_IDLE];
    size_t n_idle;
    size_t n_busy;    /* sessions in use or being opened */
    size_t n_waiting; /* of these, those that wait for one to come back */
    size_t n_homes;   /* sessions that keys live in, which never come back */

    pthread_mutex_t login_lock; /* held over C_Login, never over a prompt */
    atomic_bool logged_in;
    atomic_bool was_in;         /* by a login of ours; with the following under
                                   login_lock, how to do that again: */
    atomic_bool refused;        /* the PIN that worked does not any more */
    struct hwk_secret *pin;     /* NULL when it is not to be kept */
    enum hwk_pin_from pin_from; /* where it came from */
    char *pin_file;             /* and the file; NULL: none */
};

struct p11_module {
    struct p11_module *next;
    char *path;
    bool settled; /* the following are what a configuration says */
    char *init_args;
    unsigned max_sessions; /* of a token; 0: as many as are needed */
    bool pin_final_try;
    pthread_mutex_t lock; /* of the tokens; never held over a call */
    pthread_cond_t changed;
    bool busy;             /* a thread loads or scans, without the lock */
    unsigned begun, done;  /* scans */
    atomic_bool ready;     /* initialised and scanned since load, fork, loss */
    atomic_bool lost;      /* somebody has finalized the module */
    atomic_bool ending;    /* has not come back from its end */
    atomic_bool gives_few; /* fewer handles than it has, at some search */
    struct p11_token *tokens; /* only ever grows */
    /* the rest is the busy thread's; f does not change once ready */
    bool owner; /* our C_Initialize was the first */
    void *dl;
    CK_FUNCTION_LIST *f;
    PKCS11_CTX *ctx; /* libp11's, for the first look */
    bool looked;
    bool forked; /* since then: libp11 does not finalize any more */
    PKCS11_SLOT *slots;
    unsigned n_slots;
    char manufacturer[33], description[33];
    struct p11_family *family;   /* NULL: not such a module (p11_family.c) */
    pthread_mutex_t family_lock; /* of in_step; never held over a call */
    unsigned in_step;
    CK_VERSION version; /* of the library, once a URI had one */
    bool has_version;
};

struct p11_state {
    const struct hwk_config *cfg;
};

/* An object's attributes, as many as it has. */
struct p11_object {
    CK_OBJECT_HANDLE h;
    CK_OBJECT_CLASS class;
    CK_KEY_TYPE key_type;
    uint8_t id[P11_ID_MAX];
    size_t id_len;
    char label[P11_ID_MAX];
    size_t label_len;
    struct hwk_pub pub;
    struct hwk_limits limits;
    bool has_pub, always_auth, sign, decrypt, derive, sensitive,
        never_extractable, modifiable;
    const struct hwk_curve *curve; /* known also without the public key */
    size_t size; /* of the value of a certificate or data object */
};

/* What a search on one token came to. */
struct p11_haul {
    struct p11_token *t;
    unsigned epoch;
    struct p11_object *o;
    size_t n;
    uint8_t **der; /* of certificates, by index, when they were read */
    size_t *der_n;
};

/* A private key (hwk_ref). */
struct p11_ref {
    struct p11_token *token;
    struct hwk_pub pub;
    uint8_t id[P11_ID_MAX];
    size_t id_len;
    bool always_auth;
    char label[P11_ID_MAX];
    size_t label_len;
    bool has_home; /* a key that lives as long as this session */
    struct p11_session home;
    /* under token->lock */
    CK_OBJECT_HANDLE handle;
    unsigned epoch;
};

/* --- p11_rv.c --- */
const char *p11_rv_name(CK_RV rv);
/* Raises the reason that fits rv, "what: CKR_X (0x..)". Always 0. */
int p11_raise(const char *what, CK_RV rv);
/* Does rv say that sessions, handles, login or token are gone? */
bool p11_lost(CK_RV rv);

/* --- p11_module.c --- */
/* Calls each for every module that the configuration and uri name, loaded and
 * scanned. each gives 1 to go on, 0 to stop, -1 to fail. A module that does not
 * load fails only when nothing else is left. */
int p11_each_module(struct p11_state *st, const struct hwk_uri *uri,
                    int (*each)(void *arg, struct p11_module *m), void *arg);
/* Initialised and scanned; does that when it is not. */
int p11_module_ready(struct p11_module *m);
/* CKR_CRYPTOKI_NOT_INITIALIZED was seen. */
void p11_module_lost(struct p11_module *m);
/* Looks for tokens again. */
int p11_module_rescan(struct p11_module *m);
/* The token is at its slot_id, looked at again when that was in doubt. 0 with
 * HWK_R_NO_DEVICE when it is not there. */
int p11_token_there(struct p11_token *t);

/* --- p11_end.c --- */
/* The last one that used the module is gone: sessions are closed, PINs
 * forgotten, and the module is finalized when its beginning was ours. A module
 * that does not come back from that is left to itself after a few seconds, in a
 * thread of its own, with ending set. exiting: it is not called at all. */
void p11_module_end(struct p11_module *m, bool exiting);

/* --- p11_family.c --- */
/* The module is initialised and described: by a C_Initialize that began anew
 * (fresh), or the state is that of before. */
void p11_family_found(struct p11_module *m, bool fresh);
/* Before a use of it: 1, or 0 with HWK_R_UNSUPPORTED when another process has
 * got in between. */
int p11_family_use(struct p11_module *m);

/* --- p11_scan.c --- */
/* Look for tokens, by the busy thread: through libp11, and by ourselves. 1, or
 * 0 with a reason; *rv is that of Cryptoki. */
int p11_first_look(struct p11_module *m);
int p11_scan(struct p11_module *m, CK_RV *rv);
/* The number of the last scan that has begun, of whichever module: a token with
 * a higher one was looked at since. */
unsigned p11_scans(void);
#define P11_ANY_SCAN UINT_MAX /* none is young enough */
/* CKR_OK: the token is still at its slot_id; its pin_flags are those of now. */
CK_RV p11_confirm(struct p11_token *t);
bool p11_token_matches(const struct p11_token *t, const struct hwk_uri *uri);
/* The tokens that uri names, at most max; their number, or -1 with a reason. */
int p11_tokens(struct p11_state *st, const struct hwk_uri *uri,
               struct p11_token *out[], int max);

/* --- p11_session.c --- */
/* A session, logged in again when the token was; from the pool unless rw. */
int p11_session_get(struct p11_token *t, bool rw, struct p11_session *out);
/* Back to the pool; closed when broken or no longer of use. */
void p11_session_put(struct p11_token *t, struct p11_session *s, bool rw,
                     bool broken);
/* A session got is kept for a key that lives as long as it; its end. */
void p11_session_keep(struct p11_token *t);
void p11_session_end(struct p11_token *t, const struct p11_session *s);
/* rv (p11_lost) was seen in a session of that epoch: everything of that epoch
 * is worthless from now on. */
void p11_token_lost(struct p11_token *t, unsigned epoch, CK_RV rv);
unsigned p11_epoch(struct p11_token *t);
/* Asked when a private key is not seen: CKR_USER_NOT_LOGGED_IN when somebody
 * has logged us out, which hides it, CKR_OK when it is really not there. */
CK_RV p11_still_in(struct p11_token *t, const struct p11_session *s);

/* --- p11_login.c --- */
/* Logs in again, in a session just opened, as it was done before; nothing when
 * nobody had. 1, 0 with a reason, or -1: *rv says that the session is lost. */
int p11_relogin(struct p11_token *t, CK_SESSION_HANDLE h, CK_RV *rv);
/* Logs in with what ask gives unless that is done, not needed or not wanted
 * (login = never). since: p11_scans() of when the operation began, which need
 * not ask again for what a scan of its own has seen. */
int p11_login(struct p11_token *t, const struct hwk_pin_ask *ask,
              unsigned since);

/* --- p11_pin.c --- */
/* no token says this: a PIN is needed and there is none */
#define P11_NO_PIN (CKR_VENDOR_DEFINED | 0x48574bUL)
/* These three with login_lock held. C_Login, once, with pin; NULL: the token
 * has a keypad. A PIN known to be wrong is not tried, once it is sure that
 * the token is the one that said so; nor one with which the token would lock,
 * unless risk; since as above. 1; 0 with a reason; -1: *rv
 * says that the session was lost and the PIN not looked at. */
int p11_pin_try(struct p11_token *t, CK_SESSION_HANDLE h,
                struct hwk_secret *pin, bool risk, unsigned since, CK_RV *rv);
/* C_Login of the security officer, once, in the only session there is. */
int p11_so_try(struct p11_token *t, CK_SESSION_HANDLE h,
               struct hwk_secret *pin);
/* pin, which ask gave, has worked. */
void p11_pin_keep(struct p11_token *t, const struct hwk_pin_ask *ask,
                  const struct hwk_secret *pin);
/* As p11_pin_try, with what worked before; 1 also when there is no such PIN:
 * what then needs the login fails. */
int p11_pin_return(struct p11_token *t, CK_SESSION_HANDLE h, CK_RV *rv);
/* For one operation of a key that wants the PIN each time: the PIN that is
 * known, but never again once it was refused. Takes login_lock. */
CK_RV p11_login_again(struct p11_token *t, CK_SESSION_HANDLE h);
/* As p11_raise, in words where rv is about the PIN or the login. */
int p11_pin_raise(struct p11_token *t, const char *what, CK_RV rv);

/* --- p11_object.c --- */
/* Objects that fit class (or any), id and label of uri, or all, whatever their
 * number; *out is for the caller to OPENSSL_free. rv is that of Cryptoki,
 * CKR_BUFFER_TOO_SMALL for more than P11_OBJECTS. */
CK_RV p11_search(struct p11_token *t, CK_SESSION_HANDLE s,
                 const CK_OBJECT_CLASS *class, const struct hwk_uri *uri,
                 struct p11_object **out, size_t *n);
/* The same, where it may end as soon as one of each class in want (HWK_WANT_*)
 * was found under the name in uri and no second one came with it. */
CK_RV p11_search_for(struct p11_token *t, CK_SESSION_HANDLE s,
                     const CK_OBJECT_CLASS *class, const struct hwk_uri *uri,
                     unsigned want, struct p11_object **out, size_t *n);
/* The same as p11_search within a session of its own, with one retry after a
 * loss. */
int p11_search_once(struct p11_token *t, const CK_OBJECT_CLASS *class,
                    const struct hwk_uri *uri, struct p11_object **out,
                    size_t *n);

/* --- p11_read.c --- */
/* One object, in one call of a module that follows the standard. */
CK_RV p11_read_object(struct p11_token *t, CK_SESSION_HANDLE s,
                      CK_OBJECT_HANDLE h, struct p11_object *out);
/* CKA_VALUE of a certificate or data object, OPENSSL_malloc'ed. */
CK_RV p11_value(struct p11_token *t, CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h,
                uint8_t **out, size_t *n);

/* --- p11_public.c --- */
/* The public half of a private key o, unless it has one: of a public key or
 * certificate with the same CKA_ID, or, when there is no CKA_ID, with the same
 * label; first among what was found, where a certificate also says whether an
 * RSA key is one for PSS. */
CK_RV p11_haul_public(struct p11_haul *h, CK_SESSION_HANDLE s,
                      struct p11_object *o);
/* The same by a search. */
CK_RV p11_complete(struct p11_token *t, CK_SESSION_HANDLE s,
                   struct p11_object *o);

/* --- p11_mech.c --- */
/* Digest and mask generator of CK_RSA_PKCS_PSS_PARAMS. 1, or 0 with
 * HWK_R_UNSUPPORTED when PKCS#11 has no number for them. */
int p11_pss_params(enum hwk_md md, enum hwk_md mgf1,
                   CK_RSA_PKCS_PSS_PARAMS *out);
/* The mechanism that hashes and signs; 0 when there is none. */
CK_MECHANISM_TYPE p11_hashing(const struct hwk_mech *mech);
/* What a list of mechanisms lets a key do; none at all is no limit. */
void p11_limits(const CK_MECHANISM_TYPE *list, size_t n,
                struct hwk_limits *out);
/* Does that come to an RSA key for PSS only? */
bool p11_limited_to_pss(const struct hwk_limits *l, struct hwk_pss *out);

/* --- p11_object.c again --- */
/* The key of ref again, by class, id and public key. */
CK_RV p11_refind(struct p11_ref *ref, const struct p11_session *s,
                 CK_OBJECT_HANDLE *out);
/* Its URI, never with a PIN. What it does not have is there, empty: a URI
 * without id= fits any. */
void p11_object_uri(const struct p11_token *t, const struct p11_object *o,
                    char out[static HWK_OBJECT_URI_MAX]);
/* The same of the token alone. */
void p11_token_uri(const struct p11_token *t,
                   char out[static HWK_OBJECT_URI_MAX]);
/* --- p11_find.c --- */
int p11_devices(void *state, const struct hwk_uri *uri, hwk_device_fn *each,
                void *arg);
int p11_find(void *state, const struct hwk_uri *uri, unsigned want,
             const struct hwk_pin_ask *pin, hwk_found_fn *each, void *arg);
void p11_release(void *state, hwk_ref *ref);
struct p11_ref *p11_ref_new(struct p11_token *t, const struct p11_object *o,
                            unsigned epoch);

/* --- p11_use.c --- */
/* What is done with the private key of a ref in one session. */
typedef CK_RV p11_operation(void *arg, struct p11_ref *ref, CK_SESSION_HANDLE s,
                            CK_OBJECT_HANDLE key);
/* Runs op, once more when sessions, login or handles turn out to be lost: op
 * begins anew then and leaves nothing behind when it fails. 1, or 0 with a
 * reason that names what ("C_Sign"). */
int p11_use(struct p11_ref *ref, const char *what, p11_operation *op,
            void *arg);

/* --- p11_random.c --- */
int p11_random(void *state, const struct hwk_uri *uri, uint8_t *out, size_t n);

/* --- p11_sign.c --- */
int p11_sign(void *state, hwk_ref *ref, const struct hwk_mech *mech,
             const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n);

/* --- p11_plan.c --- */
/* The attributes of a pair to be made; they point into the plan, the spec and
 * the URI, so keep these where they are. */
struct p11_plan {
    const struct hwk_spec *spec;
    uint8_t id[P11_ID_MAX];
    size_t id_n;
    bool random_id; /* nobody else can know it */
    const struct hwk_str *label;
    CK_ATTRIBUTE pub[24], priv[24];
    CK_ULONG n_pub, n_priv;
    /* what some of them point to */
    CK_KEY_TYPE key_type;
    CK_ULONG bits;
    uint8_t e[8];
    CK_MECHANISM_TYPE allowed[16];
};
/* What spec's usage comes to in a token: decrypt of an EC key is derive,
 * idevid, a template that only TPMs have, is sign. */
unsigned p11_usage(const struct hwk_spec *spec);
/* What both ways of making have: names, usage, protection. 0 with HWK_R_BAD_URI
 * or HWK_R_PARAM. */
int p11_plan(struct p11_plan *p, const struct hwk_uri *uri,
             const struct hwk_spec *spec);
void p11_plan_pub(struct p11_plan *p, CK_ATTRIBUTE_TYPE type, const void *value,
                  size_t n);
void p11_plan_priv(struct p11_plan *p, CK_ATTRIBUTE_TYPE type,
                   const void *value, size_t n);
void p11_plan_both(struct p11_plan *p, CK_ATTRIBUTE_TYPE type,
                   const void *value, size_t n);

/* --- p11_decrypt.c, p11_derive.c --- */
int p11_decrypt(void *state, hwk_ref *ref, const struct hwk_mech *mech,
                const uint8_t *in, size_t n, uint8_t *out, size_t *out_n);
int p11_derive(void *state, hwk_ref *key, const uint8_t *peer, size_t n,
               uint8_t *out, size_t *out_n);

/* --- p11_make.c --- */
int p11_make(void *state, const struct hwk_uri *uri,
             const struct hwk_spec *spec, const struct hwk_pin_ask *pin,
             struct hwk_found *out);

/* --- p11_import.c --- */
/* Puts the key of spec->from there. *priv is its handle. */
CK_RV p11_import(struct p11_token *t, CK_SESSION_HANDLE s, struct p11_plan *p,
                 CK_OBJECT_HANDLE *pub, CK_OBJECT_HANDLE *priv);

/* --- p11_data.c --- */
int p11_dev_open(void *state, const struct hwk_uri *uri,
                 const struct hwk_pin_ask *pin, void **dev);
void p11_dev_close(void *state, void *dev);
int p11_dev_info(void *state, void *dev, struct hwk_device_info *out);
int p11_dev_list(void *state, void *dev,
                 int (*each)(void *arg, const struct hwk_object_info *),
                 void *arg);
int p11_dev_read(void *state, void *dev, const struct hwk_uri *uri,
                 uint8_t *out, size_t *n, struct hwk_object_info *info);

/* --- p11_write.c --- */
int p11_dev_write(void *state, void *dev, const struct hwk_uri *uri,
                  const uint8_t *data, size_t n, unsigned flags);
int p11_dev_erase(void *state, void *dev, const struct hwk_uri *uri);

#endif
