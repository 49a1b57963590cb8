/* SPDX-License-Identifier: Apache-2.0 */
/* What a test tells the PKCS#11 shim, and what the shim has counted. */
#ifndef P11_SHIM_H
#define P11_SHIM_H

#include <stdatomic.h>

enum p11shim_loss { /* happens once, at the next C_SignInit */
                    P11SHIM_NOTHING,
                    P11SHIM_SESSIONS, /* all sessions close, the login with them
                                       */
                    P11SHIM_LOGOUT,   /* CKR_USER_NOT_LOGGED_IN is answered */
                    P11SHIM_RESTART,  /* C_Finalize and C_Initialize by somebody
                                         else */
                    P11SHIM_FINALIZE, /* C_Finalize only */
};

enum p11shim_cut { /* what becomes of the call with the number "cut_at" */
                   P11SHIM_UNCUT,
                   P11SHIM_REFUSED,     /* it answers cut_rv and does nothing */
                   P11SHIM_LATE,        /* it does it, and answers cut_rv */
                   P11SHIM_KILLED,      /* SIGKILL before */
                   P11SHIM_KILLED_LATE, /* SIGKILL after it */
};

/* threads count in it */
struct p11shim {
    _Atomic(enum p11shim_loss) loss;
    atomic_ulong rv;            /* answered once by the next C_SignInit */
    atomic_int max_sessions;    /* 0: as many as the module has */
    atomic_int spoil;           /* objects are made a byte short */
    atomic_int not_destroyable; /* it does not know CKA_DESTROYABLE */
    atomic_int twice;           /* objects are made twice */
    atomic_int always_auth;     /* every key wants the PIN for each signature */
    atomic_ulong again_rv;      /* what such a login answers */
    atomic_int again;           /* how many there were */
    _Atomic(enum p11shim_cut) cut;
    atomic_int cut_at; /* counted by calls */
    atomic_ulong cut_rv;
    atomic_int calls, sign_init, sign, login, officer, open, close, finalize;
};

/* dlsym() this in the shim */
typedef struct p11shim *p11shim_control_fn(void);

#endif
