/* SPDX-License-Identifier: Apache-2.0 */
/* Keys in a TPM, whatever their origin: one object each, however often they
 * are opened. */
#ifndef HWK_TPM2_OBJECT_H
#define HWK_TPM2_OBJECT_H

#include <stdatomic.h>

#include "provider/device/tpm2_conn.h"

struct hwk_tpm_source;

/* A key; what is not atomic belongs to the lock of its TPM, except handle, pub,
 * name and called, which never change. */
struct hwk_tpm_object {
    struct hwk_tpm_object *next;
    unsigned refs;
    TPM2_HANDLE handle; /* persistent; 0: it is loaded from source */
    TPM2B_PUBLIC pub;
    TPM2B_NAME name;
    char called[24]; /* in messages: "0x81020010", "under 0x40000001" */
    ESYS_TR tr;      /* of generation; ESYS_TR_NONE: none */
    unsigned generation;
    struct hwk_tpm_source *source; /* tpm2_load.h; NULL: persistent */
    TPM2_HANDLE loaded;            /* 0x80... while it is in the TPM, else 0 */
    uint64_t cookie;               /* of its record, see tpm2_registry.h */
    unsigned used;                 /* the turn in which it was used last */
    atomic_uint pss_salt[HWK_MD_COUNT]; /* 1 + what the TPM makes; 0: unknown */
};

/* What a key blob is wrapped by. */
struct hwk_tpm_parent {
    TPM2_HANDLE handle; /* 0x81..., or a hierarchy: its default primary */
    bool rsa;           /* that is the RSA one */
    const struct hwk_secret *auth; /* of the key or hierarchy; NULL: empty */
};

/* The functions below are called between begin and end. */

/* The key at handle, counted: one ReadPublic each time, since another process
 * may have put another key there; opens of the same key share one object.
 * NULL with a reason, HWK_R_NOT_FOUND when there is none. */
struct hwk_tpm_object *hwk_tpm_object_open(struct hwk_tpm *tpm,
                                           TPM2_HANDLE handle);

/*
 * A key that parent wraps, loaded, counted: opens of the same blob share one
 * object. Commands: ReadPublic of the parent (one of a hierarchy: CreatePrimary
 * and FlushContext), Load, and FlushContext when the last one closes it; none
 * when it is in the TPM already. All is copied. NULL with a reason, HWK_R_KEY
 * when the parent is not one.
 */
struct hwk_tpm_object *hwk_tpm_object_blob(struct hwk_tpm *tpm,
                                           const struct hwk_tpm_parent *parent,
                                           const TPM2B_PUBLIC *pub,
                                           const TPM2B_PRIVATE *priv);

/* The same for a primary key of a hierarchy, with an empty auth value of its
 * own: CreatePrimary, and FlushContext at the end. Its pub and name are those
 * of the key that came of template. */
struct hwk_tpm_object *
hwk_tpm_object_primary(struct hwk_tpm *tpm, TPM2_HANDLE hierarchy,
                       const struct hwk_secret *hierarchy_auth,
                       const TPM2B_PUBLIC *template);

/* A key that somebody loaded and saved the context of: ContextLoad, ReadPublic,
 * and FlushContext at the end; good until the TPM is restarted. */
struct hwk_tpm_object *hwk_tpm_object_context(struct hwk_tpm *tpm,
                                              const TPMS_CONTEXT *context);

/* Takes over tr, a persistent handle just made, with its public area. */
struct hwk_tpm_object *hwk_tpm_object_adopt(struct hwk_tpm *tpm,
                                            TPM2_HANDLE handle, ESYS_TR tr,
                                            const TPM2B_PUBLIC *pub);

/* Its ESYS handle in *tr, good until end. A persistent key: no command unless
 * ESYS was built anew since (then a ReadPublic, and HWK_R_NOT_FOUND if another
 * key is there now). Another: none while it is in the TPM, else it is loaded
 * again. */
int hwk_tpm_object_tr(struct hwk_tpm *tpm, struct hwk_tpm_object *o,
                      ESYS_TR *tr);

/* The handle is about to be evicted: who has it open reads it anew and sees
 * whether another key came there. */
void hwk_tpm_object_forget(struct hwk_tpm *tpm, TPM2_HANDLE handle);

void hwk_tpm_object_close(struct hwk_tpm *tpm, struct hwk_tpm_object *o);

/* The same, but not between begin and end: takes a turn if it has to. */
void hwk_tpm_object_release(struct hwk_tpm *tpm, struct hwk_tpm_object *o);

/* In the child of a fork: what is loaded is its parent's. */
void hwk_tpm_object_forked(struct hwk_tpm_object *o);

/* Flushes all that was loaded, also what somebody still has open: the process
 * ends. Not between begin and end. */
void hwk_tpm_object_unload(struct hwk_tpm *tpm);

/* The public area without an ESYS handle: what others hold stays theirs. */
int hwk_tpm_ask_public(struct hwk_tpm *tpm, TPM2_HANDLE handle,
                       TPM2B_PUBLIC *pub, TPM2B_NAME *name);
/* An ESYS handle of a persistent key with its public area; one command. ESYS
 * has one for all who ask: closing it takes it away from an object. */
int hwk_tpm_read_public(struct hwk_tpm *tpm, TPM2_HANDLE handle, ESYS_TR *tr,
                        TPM2B_PUBLIC *pub, TPM2B_NAME *name);

#endif
