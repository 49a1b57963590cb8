/* SPDX-License-Identifier: Apache-2.0 */
/* What people do with the MASA's store: look, and say whose devices are. */
#ifndef IDEVID_MASA_PEOPLE_H
#define IDEVID_MASA_PEOPLE_H

#include "idevid/masa/masa.h"

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
    /* IDV_E_STATE: no such device, or (keyid empty) several */
    idv_rc (*block)(void *self, struct idv_bytes keyid, const char *serial,
                    bool blocked, const char *reason);
    /* owner "": nobody knows */
    idv_rc (*own)(void *self, struct idv_bytes keyid, const char *serial,
                  const char *owner);
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
