/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the test's PKCS#11 module share. Every soft_* function is
 * called with soft.lock held unless it says otherwise. */
#ifndef P11_SOFT_INT_H
#define P11_SOFT_INT_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <openssl/evp.h>
#include <p11-kit/pkcs11.h>

#include "tests/lib/p11_soft_fn.h"

/* of Cryptoki 3.0, which the header lacks */
#define SOFT_CKK_MONTGOMERY 0x41UL
#define SOFT_CKM_MONTGOMERY_GEN 0x1056UL
struct soft_eddsa_params {
    CK_BBOOL prehash;
    CK_ULONG context_n;
    CK_BYTE *context;
};

/* the private key as PKCS#8, an attribute that nobody gets to see */
#define SOFT_CKA_KEY (CKA_VENDOR_DEFINED | 0x50UL)

#define SOFT_ATTRS 48
#define SOFT_WITHOUT 16

struct soft_attr {
    CK_ATTRIBUTE_TYPE type;
    uint8_t *p;
    size_t n;
};

struct soft_object {
    struct soft_object *next;
    struct soft_slot *slot;
    CK_SESSION_HANDLE owner; /* of a session object; 0: of the token */
    CK_OBJECT_HANDLE h;
    uint64_t uid; /* in the file */
    struct soft_attr a[SOFT_ATTRS];
    size_t n;
    EVP_PKEY *key; /* private keys */
};

struct soft_slot {
    struct soft_slot *next;
    unsigned long n; /* as the lines call it */
    CK_SLOT_ID id;
    bool empty, no_login, protected, always_auth, derive_auth, bare_point,
        stop_at_first;
    unsigned long at_a_time;
    char label[33], serial[17], model[17], maker[33], pin[64];
    unsigned tries, wrong, max_sessions;
    CK_MECHANISM_TYPE without[SOFT_WITHOUT];
    size_t n_without;
    bool logged_in;
    struct soft_object *objects; /* in the order they came */
    char file[256];
    struct timespec file_time;
    off_t file_size;
    ino_t file_ino;
};

enum soft_op { SOFT_IDLE, SOFT_SIGN, SOFT_DECRYPT };

#define SOFT_PARAM_MAX 512
struct soft_session {
    struct soft_session *next;
    CK_SESSION_HANDLE h;
    struct soft_slot *slot;
    bool rw;
    enum soft_op op;
    bool wants_auth;
    bool may_derive; /* the PIN was given for one C_DeriveKey */
    EVP_PKEY *key;
    CK_MECHANISM_TYPE mech;
    bool has_param;
    union { /* a copy of the mechanism's parameter */
        uint8_t bytes[SOFT_PARAM_MAX];
        CK_RSA_PKCS_PSS_PARAMS pss;
        CK_RSA_PKCS_OAEP_PARAMS oaep;
        struct soft_eddsa_params eddsa;
    } param;
    uint8_t extra[SOFT_PARAM_MAX]; /* what the parameter points to */
    CK_OBJECT_HANDLE *found;       /* a search, ended by found_n */
    size_t found_n, found_at;
    bool searching;
};

struct soft {
    pthread_mutex_t lock;
    bool up;
    pid_t pid;
    OSSL_LIB_CTX *libctx;
    struct soft_slot *slots;
    struct soft_session *sessions;
    CK_SESSION_HANDLE last_session;
    CK_OBJECT_HANDLE last_object;
    unsigned starts;
    bool moves_on_fork, unaware, noisy, plain_eddsa, destroys_all;
    char description[33]; /* of the library */
};
extern struct soft soft;

/* --- p11_soft_fault.c --- */
/* What a call of fn begins with, without the lock: counts it, does what was
 * asked for it and takes the lock, or answers why not. slot: its number, or
 * of a session's slot; 0 none. */
enum soft_about { SOFT_NONE, SOFT_BY_SLOT, SOFT_BY_SESSION };
CK_RV soft_enter(enum soft_fn fn, enum soft_about about, CK_ULONG which);
/* And with what it ends: the lock is given back. */
CK_RV soft_leave(enum soft_fn fn, CK_RV rv);
/* "on ..." and "do ...", without the lock; the words after the first */
int soft_tell_on(char *words[], size_t n);
int soft_tell_do(char *words[], size_t n);
void soft_release(bool forget);
unsigned soft_calls(const char *function);
void soft_await_held(unsigned n);
void soft_fault_forked(void);

/* --- p11_soft_conf.c --- */
/* Reads P11SOFT_CONF once, without the lock. */
void soft_configure(void);
int soft_tell(const char *line);
bool soft_number(const char *text, unsigned long *out);
/* One attribute word "key=value": the value, or NULL. */
const char *soft_value(const char *word, const char *key);

/* --- p11_soft_file.c --- */
/* The objects of the slot's file, when it changed; and to it. */
void soft_load(struct soft_slot *slot);
void soft_save(struct soft_slot *slot);

/* --- p11_soft_session.c --- */
CK_RV soft_initialize(void);
CK_RV soft_finalize(void);
void soft_end_sessions(struct soft_slot *slot); /* NULL: all */
void soft_move(void);
struct soft_slot *soft_slot_by_id(CK_SLOT_ID id);
struct soft_slot *soft_slot_by_number(unsigned long n);
struct soft_session *soft_session(CK_SESSION_HANDLE h);
void soft_end_op(struct soft_session *s);
CK_RV soft_open(CK_SLOT_ID id, CK_FLAGS flags, CK_SESSION_HANDLE *out);
CK_RV soft_close(CK_SESSION_HANDLE h);
CK_RV soft_session_info(CK_SESSION_HANDLE h, CK_SESSION_INFO *out);
CK_RV soft_login(CK_SESSION_HANDLE h, CK_USER_TYPE user, const CK_BYTE *pin,
                 CK_ULONG n);
CK_RV soft_logout(CK_SESSION_HANDLE h);
unsigned soft_session_count(const struct soft_slot *slot, bool rw_only);

/* --- p11_soft_slot.c --- */
CK_RV soft_slot_list(CK_BBOOL present, CK_SLOT_ID *out, CK_ULONG *n);
CK_RV soft_slot_info(CK_SLOT_ID id, CK_SLOT_INFO *out);
CK_RV soft_token_info(CK_SLOT_ID id, CK_TOKEN_INFO *out);
CK_RV soft_mechanisms(CK_SLOT_ID id, CK_MECHANISM_TYPE *out, CK_ULONG *n);
CK_RV soft_mechanism(CK_SLOT_ID id, CK_MECHANISM_TYPE mech,
                     CK_MECHANISM_INFO *out);
bool soft_has(const struct soft_slot *slot, CK_MECHANISM_TYPE mech,
              CK_FLAGS use);

/* --- p11_soft_objects.c --- */
const struct soft_attr *soft_get(const struct soft_object *o,
                                 CK_ATTRIBUTE_TYPE type);
bool soft_true(const struct soft_object *o, CK_ATTRIBUTE_TYPE type);
CK_ULONG soft_ulong(const struct soft_object *o, CK_ATTRIBUTE_TYPE type);
bool soft_set(struct soft_object *o, CK_ATTRIBUTE_TYPE type, const void *p,
              size_t n);
bool soft_set_bool(struct soft_object *o, CK_ATTRIBUTE_TYPE type, bool value);
bool soft_set_ulong(struct soft_object *o, CK_ATTRIBUTE_TYPE type,
                    CK_ULONG value);
bool soft_default_bool(struct soft_object *o, CK_ATTRIBUTE_TYPE type,
                       bool value);
/* A new object of the template, on no list yet; NULL: no memory, or too many
 * attributes. */
struct soft_object *soft_object_new(struct soft_session *s,
                                    const CK_ATTRIBUTE *a, CK_ULONG n);
void soft_object_free(struct soft_object *o);
/* Whether s may make it; then onto the list with a handle. */
CK_RV soft_may_add(const struct soft_session *s, const struct soft_object *o);
/* The slot's monotonic counter, made if need be, at a value. */
bool soft_counter(struct soft_slot *slot, uint64_t value);
CK_OBJECT_HANDLE soft_add(struct soft_session *s, struct soft_object *o);
void soft_append(struct soft_slot *slot, struct soft_object *o);
bool soft_sees(const struct soft_session *s, const struct soft_object *o);
/* The object, if it is there and s sees it. */
struct soft_object *soft_object(const struct soft_session *s,
                                CK_OBJECT_HANDLE h);
void soft_drop_session_objects(struct soft_slot *slot, CK_SESSION_HANDLE owner);
void soft_deal_handles(struct soft_slot *slot);
CK_RV soft_destroy(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h);
CK_RV soft_get_values(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *a,
                      CK_ULONG n);
CK_RV soft_set_values(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *a,
                      CK_ULONG n);
/* --- p11_soft_find.c --- */
CK_RV soft_find_init(CK_SESSION_HANDLE s, const CK_ATTRIBUTE *a, CK_ULONG n);
CK_RV soft_find(CK_SESSION_HANDLE s, CK_OBJECT_HANDLE *out, CK_ULONG max,
                CK_ULONG *n);
CK_RV soft_find_final(CK_SESSION_HANDLE s);

/* --- p11_soft_keys.c --- */
/* Makes o->key of SOFT_CKA_KEY. */
bool soft_thaw(struct soft_object *o);
CK_RV soft_create(CK_SESSION_HANDLE s, const CK_ATTRIBUTE *a, CK_ULONG n,
                  CK_OBJECT_HANDLE *out);
CK_RV soft_generate(CK_SESSION_HANDLE s, const CK_MECHANISM *mech,
                    const CK_ATTRIBUTE *pub, CK_ULONG n_pub,
                    const CK_ATTRIBUTE *priv, CK_ULONG n_priv,
                    CK_OBJECT_HANDLE *pub_h, CK_OBJECT_HANDLE *priv_h);

/* --- p11_soft_ops.c --- */
CK_RV soft_sign_init(CK_SESSION_HANDLE s, const CK_MECHANISM *mech,
                     CK_OBJECT_HANDLE key);
CK_RV soft_decrypt_init(CK_SESSION_HANDLE s, const CK_MECHANISM *mech,
                        CK_OBJECT_HANDLE key);
/* These let the lock go while they reckon. */
CK_RV soft_sign(CK_SESSION_HANDLE s, const CK_BYTE *in, CK_ULONG n,
                CK_BYTE *out, CK_ULONG *out_n);
CK_RV soft_decrypt(CK_SESSION_HANDLE s, const CK_BYTE *in, CK_ULONG n,
                   CK_BYTE *out, CK_ULONG *out_n);
CK_RV soft_random(CK_BYTE *out, CK_ULONG n);
/* May o be used for that, with that mechanism? Its key is there then. */
CK_RV soft_may_use(const struct soft_session *s, struct soft_object *o,
                   CK_MECHANISM_TYPE mech, CK_FLAGS use,
                   CK_ATTRIBUTE_TYPE permission);

/* --- p11_soft_rsa.c --- */
/* The padding that the operation at has begun with; no lock. */
bool soft_set_padding(EVP_PKEY_CTX *ctx, const struct soft_session *at);

/* --- p11_soft_derive.c; lets the lock go --- */
CK_RV soft_derive(CK_SESSION_HANDLE s, const CK_MECHANISM *mech,
                  CK_OBJECT_HANDLE key, const CK_ATTRIBUTE *a, CK_ULONG n,
                  CK_OBJECT_HANDLE *out);

/* --- p11_soft_eddsa.c --- */
/* EdDSA with a context or prehashing, which OpenSSL 3.0 has not; no lock. */
bool soft_eddsa(EVP_PKEY *key, const struct soft_eddsa_params *params,
                const uint8_t *in, size_t n, uint8_t *sig, size_t *sig_n);

#endif
