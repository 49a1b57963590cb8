/* SPDX-License-Identifier: Apache-2.0 */
/* The line's configuration, factory.ini. */
#ifndef FACTORY_CONF_H
#define FACTORY_CONF_H

#include <idevid/conf.h>
#include <idevid/desk.h>

#include "tool.h"

enum factory_upstream { FACTORY_CA_LOCAL, FACTORY_CA_EST, FACTORY_CA_FILES };
enum factory_ek { FACTORY_EK_REQUIRED, FACTORY_EK_LISTED };
enum factory_anchor {
    FACTORY_ANCHOR_NONE,
    FACTORY_ANCHOR_OWNER,
    FACTORY_ANCHOR_PLATFORM,
};

/* [desk]: where certificates come from. */
struct factory_desk_conf {
    char *url, *anchors;     /* a desk elsewhere; NULL: here */
    char **listen;           /* of the desk as a service */
    char *key, *certificate; /* of its TLS */
    char *stations;          /* anchors of station certificates */
    char **profiles;         /* that are taken */
    int64_t challenge_hours;
    int ek;        /* enum factory_ek */
    char *ek_list; /* file: a hex SHA-256 in each line */
    bool ek_check_time;
    char *roots, *roots_anchors;     /* bundle, and who signs it */
    int upstream;                    /* enum factory_upstream */
    char *ca_key, *ca_certificate;   /* local: issuing CA, with its chain */
    char *iak_key, *iak_certificate; /* of IAKs, where ca does not make them */
    char *est_url, *est_anchors, *est_label; /* est */
    char *csr_folder;                        /* files */
    int64_t workers, max_connections;
};

/* [idevid]: what goes into certificates; see struct idv_desk_template. */
struct factory_template_conf {
    char *common_name, *organization, *organizational_unit, *country;
    char *masa_url, *hw_type, *hw_serial, *crl_url, *aia_url;
    char **policies;
    bool permanent_identifier, residency_policies, client_auth;
};

/* [lockdown]: what is done to a device at the end. */
struct factory_lockdown_conf {
    bool lock_certificates, lockout_value, owner_value;
    char *escrow; /* certificate of who may read the values */
    int64_t max_tries, recovery, lockout_recovery; /* 0: left alone */
    int anchor;                                    /* enum factory_anchor */
    char *approval_key, *maker_anchors;
};

/* [label]: what the verb label prints unless told otherwise. */
struct factory_label_conf {
    char *text, *font, *page, *grid, *margin;
    int64_t dpi;
};

struct factory_conf {
    char *station, *station_key, *station_certificate;
    char *database;
    int profile, type; /* enum idv_factory_profile, enum idv_key_type */
    char *ek_index;    /* NULL: look */
    bool csr;
    char *anchors; /* of the maker's IDevIDs */
    char *chain;   /* between them and devices */
    struct factory_desk_conf desk;
    struct factory_template_conf idevid;
    struct factory_lockdown_conf lockdown;
    struct factory_label_conf label;
    struct tool_device_conf device;
};
extern const struct idv_conf_table factory_table;

/* [idevid] as a desk and a station want it; borrows from conf. */
struct idv_desk_template factory_template(const struct factory_conf *conf);

#endif
