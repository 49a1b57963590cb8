/* SPDX-License-Identifier: Apache-2.0 */
/* A line that is open: its configuration, book, station, desk. */
#ifndef FACTORY_LINE_H
#define FACTORY_LINE_H

#include <idevid/desk.h>
#include <idevid/station.h>

#include "ca.h"
#include "factory_conf.h"
#include "idevid/db/db.h"

/* Where certificates come from: here, or over TLS. A failure that may pass
 * (IDV_WHY_CA, IDV_WHY_STORE, IDV_E_NET, IDV_E_TIMEOUT) is worth another try.
 */
struct line_desk {
    void *self;
    idv_rc (*challenge)(void *self, const char *order,
                        uint8_t out[IDV_FACTORY_CHALLENGE],
                        enum idv_factory_why *why);
    /* request: CMS; reply: JSON, appended */
    idv_rc (*issue)(void *self, struct idv_bytes request, struct idv_buf *reply,
                    enum idv_factory_why *why);
    void (*free)(void *self);
    unsigned trips; /* round trips so far, of one elsewhere */
};

struct line {
    struct tool *t;
    const struct factory_conf *conf;
    struct idv_db *db;
    struct idv_factory_store store;
    struct tool_authority station;
    STACK_OF(X509) * anchors; /* of the maker's IDevIDs */
    struct line_desk desk;
    /* what the lockdown needs */
    STACK_OF(X509) * maker_anchors;
    EVP_PKEY *approval_key;
    X509 *escrow;
    struct idv_lockdown lockdown;
    struct idv_desk_template template; /* that a PKCS#10 asks for */
};

/* The book alone, for who only reads or writes there. */
idv_rc line_open_book(struct tool *t, const struct factory_conf *conf,
                      struct line *out) IDV_CHECKED;
/* And what devices' certificates are judged by. */
idv_rc line_open_device(struct tool *t, const struct factory_conf *conf,
                        struct line *out) IDV_CHECKED;
/* And the station's key: *out is the caller's to close in any case. */
idv_rc line_open_station(struct tool *t, const struct factory_conf *conf,
                         struct line *out) IDV_CHECKED;
/* And the desk that the configuration says. */
idv_rc line_open(struct tool *t, const struct factory_conf *conf,
                 struct line *out) IDV_CHECKED;
void line_close(struct line *l);

/* The desk of this machine, over store; factory_remote.c has the other. */
idv_rc line_desk_here(struct tool *t, const struct factory_conf *conf,
                      const struct idv_factory_store *store,
                      struct line_desk *out) IDV_CHECKED;
idv_rc line_desk_elsewhere(struct tool *t, const struct factory_conf *conf,
                           const struct tool_authority *station,
                           struct line_desk *out) IDV_CHECKED;
/* The desk itself, for the service and for files. */
struct idv_desk *line_desk_of(const struct line_desk *here);

/* Who works here: --operator, else the login name. */
const char *line_operator(const char *option);

/* Signs what was added to the book. A failure is told and is none of the
 * device's. */
void line_seal(struct line *l);

#endif
