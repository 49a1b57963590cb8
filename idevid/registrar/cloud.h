/* SPDX-License-Identifier: Apache-2.0 */
/* A registrar in the cloud (draft-ietf-anima-brski-cloud): a maker's, which
 * knows whose each device is and sends it there. */
#ifndef IDEVID_REGISTRAR_CLOUD_H
#define IDEVID_REGISTRAR_CLOUD_H

#include "idevid/registrar/registrar.h"

/* Where a device goes. The numbers are in databases. */
enum idv_owner_kind {
    IDV_OWNER_NOBODY = 0,   /* it is nobody's business here: 404 */
    IDV_OWNER_REDIRECT = 1, /* 307 to the owner's registrar */
    IDV_OWNER_VOUCHER = 2,  /* a voucher that names an EST server */
};

struct idv_owner {
    char maker[64];
    char serial_number[IDV_MAX_SERIAL + 1];
    enum idv_owner_kind kind;
    char to[IDV_MAX_URL];   /* REDIRECT: https://...; VOUCHER: est-domain */
    char more[IDV_MAX_URL]; /* VOUCHER: additional-configuration-url, or "" */
    struct idv_buf pin;     /* VOUCHER: what is pinned, a certificate in DER */
    int64_t changed;
};
void idv_owner_free(struct idv_owner *o);

/* As idv_registrar_store. */
struct idv_owner_store {
    void *self;
    idv_rc (*get)(void *self, const char *maker, const char *serial,
                  bool *found, struct idv_owner *out);
    idv_rc (*set)(void *self, const struct idv_owner *o); /* or replaces */
    idv_rc (*remove)(void *self, const char *maker, const char *serial,
                     bool *found);
    /* by maker and serial, those after the given pair ("", "": all); each
     * returns false to stop */
    idv_rc (*list)(void *self, const char *maker, const char *serial,
                   unsigned limit,
                   bool (*each)(void *arg, const struct idv_owner *o),
                   void *arg);
};

/* All borrowed. */
struct idv_cloud_conf {
    struct idv_owner_store owners;
    /* signs vouchers, as the maker's MASA would; NULL: it only sends on */
    EVP_PKEY *key;
    X509 *cert;
    const STACK_OF(X509) * chain; /* beside cert; NULL: none */
    int retry_after_s; /* when the owner is not known yet; 0: an hour */
    /* Origins that a device is never sent to, because it comes from there:
     * this registrar's own, and those of cloud registrars that send devices
     * here. NULL-ended, or NULL. */
    const char *const *never_to;
};

/* IDV_E_ARG names what of an owner is wrong: to is no https URL, or is among
 * never_to; a pin that is no certificate or missing. A URL without a path gets
 * that of requestvoucher. */
idv_rc idv_owner_check(const struct idv_cloud_conf *conf,
                       struct idv_owner *o) IDV_CHECKED;
/* URL is of one of those origins. */
bool idv_cloud_never_to(const char *const *never_to, const char *url);

#endif
