/* SPDX-License-Identifier: Apache-2.0 */
/* What people do with the MASA's store: look, and say whose devices are. */
#ifndef IDEVID_MASA_PEOPLE_H
#define IDEVID_MASA_PEOPLE_H

#include "idevid/masa/masa.h"

/* Who says it, and when. */
struct idv_masa_by {
    const char *who; /* as idv_admin_call has it */
    int64_t now;
};

/* What was said of a device. */
struct idv_masa_change {
    int64_t date;
    char who[64];
    char what[24];    /* a standing, "owner", "customer" */
    char detail[128]; /* the reason, domainID, name */
};

/* What a device proved of its anchor when a domain had a voucher. */
struct idv_masa_imprint {
    int64_t date;
    uint64_t generation;
    char domain_id[IDV_MAX_DOMAIN_ID];
    bool back; /* it had been at a higher one before, which no TPM undoes */
};

/* Whose policy. */
struct idv_masa_subject {
    enum idv_policy_of of;
    const char *name;       /* model, customer, or serial number; "": of all */
    struct idv_bytes keyid; /* of a device, where several have that number */
};

/* The domainID, base64; IDV_E_REJECT: it is no hash of the key, so that others
 * could take it for their own. */
idv_rc idv_domain_id_proven(const X509 *cert, struct idv_buf *out) IDV_CHECKED;

/* As idv_masa_store; each call returns false to stop, what it is given is
 * borrowed. Listings are in pages of at most limit rows. */
struct idv_masa_people {
    void *self;
    /* By serial and issuer, those after the given pair ("" and empty: from the
     * first). */
    idv_rc (*devices)(void *self, const char *serial, struct idv_bytes keyid,
                      unsigned limit,
                      bool (*each)(void *arg, const struct idv_masa_device *d),
                      void *arg);
    /* all of one serial number, whoever issued them */
    idv_rc (*named)(void *self, const char *serial,
                    bool (*each)(void *arg, const struct idv_masa_device *d),
                    void *arg);
    /* IDV_E_STATE: no such device, or (keyid empty) several. A device that is
     * transferred has neither owner nor customer until somebody claims it. */
    idv_rc (*stand)(void *self, struct idv_bytes keyid, const char *serial,
                    enum idv_standing standing, const char *reason,
                    const struct idv_masa_by *by);
    /* owner "": nobody knows. A claim makes a transferred device a normal one.
     */
    idv_rc (*own)(void *self, struct idv_bytes keyid, const char *serial,
                  const char *owner, const struct idv_masa_by *by);
    /* the newest, oldest first */
    idv_rc (*changes)(void *self, int64_t device_id, unsigned limit,
                      bool (*each)(void *arg, const struct idv_masa_change *c),
                      void *arg);
    /* the newest, oldest first; one where generation or domain changed */
    idv_rc (*imprints)(void *self, int64_t device_id, unsigned limit,
                       bool (*each)(void *arg,
                                    const struct idv_masa_imprint *i),
                       void *arg);
    /* the networks of the domain of this key, in their order */
    idv_rc (*origins)(void *self, const uint8_t key_sha256[32],
                      bool (*each)(void *arg, int64_t first_seen,
                                   const char *network),
                      void *arg);
    idv_rc (*origins_forget)(void *self, const uint8_t key_sha256[32]);
    /* n terms (setting and value; value "": taken back) in one; those that are
     * so already are nothing new. IDV_E_STATE: no such device. */
    idv_rc (*policy_set)(void *self, const struct idv_masa_subject *s,
                         const struct idv_masa_term *terms, size_t n,
                         const struct idv_masa_by *by);
    /* of one subject by its settings; name "": those after the given term (NULL
     *      * from the first), by subject and setting */
    idv_rc (*policies)(void *self, const struct idv_masa_subject *s,
                       const struct idv_masa_term *after, unsigned limit,
                       bool (*each)(void *arg, const struct idv_masa_term *t),
                       void *arg);
    /* What was said of it, the newest, oldest first: what is the setting,
     * detail its value. */
    idv_rc (*policy_changes)(
        void *self, const struct idv_masa_subject *s, unsigned limit,
        bool (*each)(void *arg, const struct idv_masa_change *c), void *arg);
    idv_rc (*registrar_set)(void *self, const X509 *cert,
                            const struct idv_masa_registrar *r);
    /* by hash, those after the given one */
    idv_rc (*registrars)(void *self, const uint8_t after[32], unsigned limit,
                         bool (*each)(void *arg, const uint8_t sha256[32],
                                      const struct idv_masa_registrar *r),
                         void *arg);
    /* Oldest first, those with a number above after; serial "": of all. */
    idv_rc (*events)(void *self, const char *serial, int64_t after,
                     unsigned limit,
                     bool (*each)(void *arg, int64_t number, const char *serial,
                                  const struct idv_audit_event *e),
                     void *arg);
};

#endif
