/* SPDX-License-Identifier: Apache-2.0 */
/* A PKCS#11 module made of memory, and what a test tells it. */
#ifndef P11_SOFT_H
#define P11_SOFT_H

/*
 * p11soft.so is a Cryptoki 2.40 module (with the Edwards and Montgomery keys of
 * 3.0) whose keys are OpenSSL's, in a library context of its own that no
 * provider of the application reaches. It has what SoftHSM 2.6.1 has not, and
 * it fails when it is told to. It belongs to the tests: keys lie there plain.
 *
 * It has:
 *  RSA       PKCS#1 and raw (sign, decrypt), PSS, OAEP with SHA-1..SHA-512, any
 *            MGF1 of these and a label
 *  EC        ECDSA and ECDH (CKD_NULL) on every named curve that OpenSSL has
 *  Edwards   CKM_EDDSA with Ed25519, Ed448. CK_EDDSA_PARAMS make it Ed25519ctx
 *            or Ed25519ph, Ed448 with a context or Ed448ph; C_Sign always gets
 *            the message. Ed448 goes without parameters, too.
 *  Montgomery CKM_ECDH1_DERIVE with X25519, X448
 *  objects   keys made or imported (RSA by its numbers, EC and the others by
 *            CKA_VALUE), certificates, data, secrets that were derived, and
 *            whatever else is put there, which does nothing
 *  random    bytes
 *
 * It is strict where modules are: a private key needs a login, a token object a
 * read/write session, a session does one operation at a time, a key its usage
 * attribute and CKA_ALLOWED_MECHANISMS. After a fork it answers
 * CKR_CRYPTOKI_NOT_INITIALIZED until C_Initialize. When it starts again, or a
 * token comes back, the handles of its keys are dealt out anew: what was the
 * handle of one key is that of another. Called after its static destructor
 * (which runs when modules written in C++ have theirs), it abort()s.
 *
 * It is told by lines, which the file named by the environment variable
 * P11SOFT_CONF holds ('#' begins a comment), or which a test gives to tell().
 * Words are separated by blanks; %XX stands for any byte. Numbers are decimal
 * or 0x hexadecimal. Without any "slot" line in the file there is one:
 *     slot 1 label=soft serial=0001 pin=1234
 *
 * slot N [WORD ...]      makes the slot with that number, or changes it. N is
 *                        also its CK_SLOT_ID until slots move. Words without
 *                        a value are undone with "not-" in front.
 *     empty              no token in it
 *     label=TEXT serial=TEXT model=TEXT maker=TEXT
 *     pin=TEXT           the user's; tries begin again
 *     tries=N            wrong PINs until it is locked (3)
 *     no-login           nothing there needs a login
 *     protected          CKF_PROTECTED_AUTHENTICATION_PATH: C_Login without a
 *                        PIN succeeds, one with a PIN is a bad argument
 *     always-auth        keys made or imported from now on want
 *                        CKU_CONTEXT_SPECIFIC for each use
 *     derive-auth        C_DeriveKey with such keys wants it, too, and before:
 *                        there is no operation that it could belong to
 *     bare-point         CKA_EC_POINT comes without its OCTET STRING
 *     at-a-time=N        C_FindObjects gives N handles, whatever the room, and
 *                        the rest when it is called again (0: as many as fit)
 *     stop-at-first      C_GetAttributeValue gives up at the first attribute
 *                        that an object lacks
 *     without=0xMECH     takes a mechanism away; "not-without" gives all back
 *     counter=N          CKH_MONOTONIC_COUNTER, whose next value is N + 1
 *     max-sessions=N     CKR_SESSION_COUNT beyond
 *     file=PATH          token objects are kept there (other processes that use
 *                        the file see them when they look for objects)
 *
 * module [WORD ...]      changes what is no slot's:
 *     description=TEXT   of the library
 *     noisy              every call leaves two errors on OpenSSL's queue
 *     plain-eddsa        it takes no notice of CK_EDDSA_PARAMS
 *     destroys-all       it takes no notice of CKA_DESTROYABLE, for a test that
 *                        begins anew
 *     unaware            it takes no notice of a fork: sessions and logins of
 *                        the parent go on in the child
 *
 * on FUNCTION [nth=N] [times=N] [slot=N] ACTION
 *                        at the N-th call from now on (1) and those after it,
 *                        times in all (1; 0: for ever). FUNCTION is a name, or
 *                        "any"; slot: only calls that concern that slot.
 * do ACTION              at once.
 *
 * ACTION is one of:
 *     rv=CKR             the call answers that and does nothing else
 *     late=CKR           the call does what it does, then answers that
 *     slow=MS            it takes that long
 *     hold               it waits for "release"
 *     sessions           every session ends, and the logins with them
 *     logout             as if somebody had called C_Logout
 *     finalize           as if somebody had called C_Finalize
 *     restart            the same and C_Initialize
 *     remove=N insert=N  the token of slot N is taken out, put back
 *     move               the slots' numbers are dealt out anew
 *     move-on-fork       that happens in every child that calls C_Initialize
 *     kill               the process gets SIGKILL
 *
 * release                lets go all calls that are held, and forgets the holds
 * forget                 forgets all that "on" said, lets go and zeroes calls
 */
struct p11soft {
    /* 1, or 0 when the line makes no sense */
    int (*tell)(const char *line);
    /* Calls of a function ("C_Sign"), NULL: of all, since load or "forget". */
    unsigned (*calls)(const char *function);
    /* Returns when n calls are held at once. */
    void (*await_held)(unsigned n);
    /* Sessions that are open. */
    unsigned (*sessions)(void);
};

/* dlsym() this, "p11soft_control", in the module */
typedef const struct p11soft *p11soft_control_fn(void);

#endif
