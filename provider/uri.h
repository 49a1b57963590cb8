/* SPDX-License-Identifier: Apache-2.0 */
/* Names of keys and objects: pkcs11: (RFC 7512), tpm2:, handle:, object:. */
#ifndef HWK_URI_H
#define HWK_URI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HWK_URI_MAX 4096

enum hwk_scheme {
    HWK_SCHEME_PKCS11 = 1,
    HWK_SCHEME_TPM2, /* tpm2:, and its aliases handle: and object: */
    HWK_SCHEME_SOFT, /* hwksoft:NAME, tests only */
};

enum hwk_tpm_name {
    HWK_TPM_HANDLE = 1, /* handle: a persistent key 0x81..., NV 0x01... */
    HWK_TPM_OBJECT,     /* path: a file that holds a key */
    HWK_TPM_IDEVID,     /* the IDevID of the TCG's specification */
    HWK_TPM_IAK,        /* the initial attestation key */
};

/* Decoded bytes, NUL-terminated besides; p NULL means "not given", which is
 * not the same as given and empty. */
struct hwk_str {
    uint8_t *p;
    size_t n;
};

/* type= of a pkcs11: URI */
enum hwk_uri_class {
    HWK_CLASS_ANY = 0,
    HWK_CLASS_CERT,
    HWK_CLASS_DATA,
    HWK_CLASS_PRIVATE,
    HWK_CLASS_PUBLIC,
    HWK_CLASS_SECRET,
};

struct hwk_uri {
    enum hwk_scheme scheme;

    /* pkcs11: */
    struct hwk_str token, manufacturer, model, serial; /* the token */
    struct hwk_str library_manufacturer, library_description;
    struct hwk_str slot_manufacturer, slot_description;
    struct hwk_str module_name, module_path; /* query */
    struct hwk_str object, id;               /* the object */
    enum hwk_uri_class type;
    bool list_names; /* ?list=names: names of objects instead of them */
    bool has_slot_id, has_library_version;
    unsigned long slot_id;
    unsigned library_major, library_minor;

    /* tpm2: */
    enum hwk_tpm_name tpm; /* 0: "tpm2:" alone, the TPM and all in it, or,
                              with parent, where a key is to be made */
    uint32_t handle;       /* HWK_TPM_HANDLE */
    struct hwk_str path;   /* HWK_TPM_OBJECT, HWK_SCHEME_SOFT: the name */
    bool has_parent;
    uint32_t parent; /* parent=0x..., or owner, endorsement, null, platform as
                        their permanent handles 0x40000001 0B 07 0C */
    struct hwk_str template; /* template=H-2, of idevid and iak */
    bool ask_auth;           /* ?pass: ask for the authorization value */
    /* the authorization value of what the key is loaded under, as pin_* */
    struct hwk_str parent_pin_value, parent_pin_source;

    /* both, from the query (or, as older programs write it, the path) */
    struct hwk_str pin_value;  /* wiped when freed */
    struct hwk_str pin_source; /* a path, file:PATH or file:///PATH */
};

/* True when text has one of our schemes, in any case of letters. */
bool hwk_uri_ours(const char *text);

/* Parses text whole (RFC 7512). 1, or 0 with HWK_R_BAD_URI that names the
 * attribute and what is wrong with it; *out is then empty. Limits: HWK_URI_MAX
 * bytes, each attribute once, percent-encoding well formed, no NUL in text
 * other than labels of objects, nothing longer than PKCS#11 has room for, one
 * of pin-value and pin-source, module-path absolute. An attribute of the path
 * that is not known is an error, one of the query is skipped. */
int hwk_uri_parse(const char *text, struct hwk_uri *out);

/* What parent= may say. 1, or 0 with HWK_R_BAD_URI. */
int hwk_uri_parent(const char *text, uint32_t *out);

/* Frees what the struct holds, wiping the PIN; the struct itself stays. */
void hwk_uri_clear(struct hwk_uri *uri);

/* Does a pkcs11: URI choose a token or a slot? */
bool hwk_uri_names_token(const struct hwk_uri *uri);

/* A deep copy without any PIN or where it is. */
int hwk_uri_copy(const struct hwk_uri *uri, struct hwk_uri *out);

/* Appends ";name=value" (first: "name=value") to the URI that grows in
 * out[max], percent-encoding what RFC 7512 wants encoded; every byte when
 * binary. Gives 0 when there is no room. out starts as
 * "pkcs11:" or "tpm2:". */
int hwk_uri_put(char *out, size_t max, const char *name, const void *value,
                size_t n, bool binary);

#endif
