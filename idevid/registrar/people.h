/* SPDX-License-Identifier: Apache-2.0 */
/* What people do with the registrar's store: look, and decide. */
#ifndef IDEVID_REGISTRAR_PEOPLE_H
#define IDEVID_REGISTRAR_PEOPLE_H

#include "idevid/registrar/registrar.h"

struct idv_registrar_decided {
    char maker[64];
    char serial_number[IDV_MAX_SERIAL + 1];
    enum idv_decision decision;
    int64_t asked, decided; /* 0: never */
};

struct idv_registrar_counts {
    int64_t sessions[IDV_SESSION_STATES];
    int64_t pending, approved, refused; /* devices, by decision */
};

/* As idv_registrar_store; each call returns false to stop, what it is given
 * is borrowed. Listings are in pages of at most limit rows. */
struct idv_registrar_people {
    void *self;
    /* Approves, refuses, or (NONE) forgets; the device need not have come. */
    idv_rc (*decide)(void *self, const char *maker, const char *serial,
                     enum idv_decision decision, int64_t now);
    /* By maker and serial, those after the given pair ("", "": from the
     * first); only NONE: all. */
    idv_rc (*decisions)(void *self, enum idv_decision only, const char *maker,
                        const char *serial, unsigned limit,
                        bool (*each)(void *arg,
                                     const struct idv_registrar_decided *d),
                        void *arg);
    /* Newest first, those with a number below before (0: from the newest);
     * serial "": all. Documents are left out. */
    idv_rc (*sessions)(void *self, const char *serial, int64_t before,
                       unsigned limit,
                       bool (*each)(void *arg, int64_t number,
                                    const struct idv_session *s),
                       void *arg);
    /* of one device, whoever made it; oldest first */
    idv_rc (*decided)(void *self, const char *serial,
                      bool (*each)(void *arg,
                                   const struct idv_registrar_decided *d),
                      void *arg);
    idv_rc (*events)(void *self, const uint8_t pvr_sha256[32],
                     bool (*each)(void *arg, const struct idv_status_event *e),
                     void *arg);
    idv_rc (*issued)(void *self, const char *serial,
                     bool (*each)(void *arg, const struct idv_issued *i),
                     void *arg);
    idv_rc (*counts)(void *self, struct idv_registrar_counts *out);

    /* position 0: behind all others; *id is its number */
    idv_rc (*rule_add)(void *self, const struct idv_rule *r, int64_t *id);
    idv_rc (*rule_remove)(void *self, int64_t id, bool *found);
    idv_rc (*rules)(void *self,
                    bool (*each)(void *arg, const struct idv_rule *r),
                    void *arg);
    /* Newest first, those with a number below before; serial NULL: of all. */
    idv_rc (*findings)(void *self, const char *serial, int64_t before,
                       unsigned limit,
                       bool (*each)(void *arg, int64_t number,
                                    const struct idv_finding *f),
                       void *arg);
    idv_rc (*stored_add)(void *self, const struct idv_stored_voucher *v);
    /* without documents; serial "": all */
    idv_rc (*stored)(
        void *self, const char *serial, int64_t before, unsigned limit,
        bool (*each)(void *arg, const struct idv_stored_voucher *v), void *arg);
    idv_rc (*imprint)(void *self, const char *maker, const char *serial,
                      bool allowed, const char *who, int64_t now);
    /* without the document */
    idv_rc (*evidence)(void *self, const uint8_t pvr_sha256[32], bool *found,
                       struct idv_kept_evidence *out);
};

#endif
