/* SPDX-License-Identifier: Apache-2.0 */
/* The pledge's configuration. */
#ifndef PLEDGE_CONF_H
#define PLEDGE_CONF_H

#include <idevid/conf.h>

#include "tool.h"

extern const char *const voucher_forms[];

enum anchor_profile {
    ANCHOR_AUTO, /* by what the device has */
    ANCHOR_OWNER,
    ANCHOR_PLATFORM,
    ANCHOR_TOKEN,
};
extern const char *const anchor_profiles[]; /* the words of these */

enum anchor_bind { ANCHOR_BIND_AUTO, ANCHOR_BIND_NO, ANCHOR_BIND_YES };
enum anchor_makers { ANCHOR_MAKERS_IF_PRESENT, ANCHOR_MAKERS_REQUIRED };

/* [anchor]: how the device keeps what it belongs to. */
struct anchor_conf {
    int profile, bind_ldevid, maker_anchors;
    char *cap, *index, *counter, *maker_index; /* as text, judged */
    char **gate_pcrs;                          /* numbers; NULL: none */
    char *iak, *iak_certificate;
    char *approval_key;
};
/* "pcr:N"; -1 for "reboot" and NULL. Of text that the table let pass. */
int anchor_cap_pcr(const char *cap);
/* Bit n is PCR n. */
uint32_t anchor_gate(char *const *pcrs);
/* 0 for NULL. */
uint32_t anchor_handle(const char *text);
/* For the table: IDV_E_ARG with what is wrong with the value. */
idv_rc anchor_check_cap(const char *text) IDV_CHECKED;
idv_rc anchor_check_gate(const char *text) IDV_CHECKED;
idv_rc anchor_check_handle(const char *text) IDV_CHECKED;

/* [discovery]: how registrars are found. */
struct find_conf {
    char **methods, **interfaces, **domains;
    bool registrars;
    int64_t patience;
};

/* Adds the method of that name, for "none" none. IDV_E_ARG: no such method. */
idv_rc find_method(const char *word, unsigned *methods) IDV_CHECKED;

enum evidence_when { EVIDENCE_ASKED, EVIDENCE_ALWAYS, EVIDENCE_NEVER };
enum renewed_key { RENEWED_KEY_AUTO, RENEWED_KEY_SAME, RENEWED_KEY_NEW };

/* Bits as struct idv_voucher_policy has them, of words the table let pass. */
unsigned policy_assertions(char *const *words);

struct pledge_conf {
    char *uri, *key, *certificate, *chain, *anchors, *directory;
    char *anchor_object, *ldevid_key;
    char **registrars;
    struct anchor_conf anchor;
    struct find_conf find;
    struct tool_device_conf device;
    char *cloud, *cloud_anchors;
    char **refuse_assertions;
    char *output, *group, *hooks, *agent_state;
    int key_type, voucher_form, renewed_key, evidence;
    bool refuse_nonceless, presence;
    int64_t attempts, renew_share, hook_seconds, crl_seconds;
};
extern const struct idv_conf_table pledge_table;

#endif
