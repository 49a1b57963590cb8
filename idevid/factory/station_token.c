/* SPDX-License-Identifier: Apache-2.0 */
/* Keys by URI: those of tokens, and of TPMs that prove nothing. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "factory/station_int.h"

/* --- where -----------------------------------------------------------------
 */

/* pkcs11:token=x and the object's name and type, before a query */
static idv_rc object_uri(const char *device, const char *type,
                         char out[static IDV_KEY_URI_SIZE])
{
    const char *query = strchr(device, '?');
    const int n = query ? (int)(query - device) : (int)strlen(device);
    const char *sep = n > 7 ? ";" : "";
    const int w =
        snprintf(out, IDV_KEY_URI_SIZE, "%.*s%sobject=idevid;type=%s%s", n,
                 device, sep, type, query ? query : "");
    return w > 0 && w < IDV_KEY_URI_SIZE
               ? IDV_OK
               : idv_fail(IDV_E_ARG, "station: the device's URI is too long");
}

static idv_rc given(const char *uri, char out[static IDV_KEY_URI_SIZE])
{
    return uri ? idv_text_copy(out, IDV_KEY_URI_SIZE, idv_str(uri), "URI")
               : IDV_OK;
}

idv_rc idvi_station_places(struct idv_station *s)
{
    const bool token = strncasecmp(s->c.device, "pkcs11:", 7) == 0;
    if (token == s->tpm || !idv_uri_is_device(s->c.device))
        return idv_fail(IDV_E_ARG, "profile %s is not for this device",
                        idv_factory_profile_to_text(s->c.profile));
    if (token) {
        IDV_TRY(object_uri(s->c.device, "private", s->key_uri));
        IDV_TRY(object_uri(s->c.device, "cert", s->cert_uri));
    } else {
        snprintf(s->key_uri, sizeof(s->key_uri), "%s",
                 idvi_station_keeps(s) ? "tpm2:handle=0x81020000"
                                       : "tpm2:idevid");
        snprintf(s->cert_uri, sizeof(s->cert_uri), "tpm2:handle=0x01C90200");
    }
    if (idvi_station_proves(s))
        return IDV_OK;
    IDV_TRY(given(s->c.key_uri, s->key_uri));
    return given(s->c.cert_uri, s->cert_uri);
}

/* --- the key ---------------------------------------------------------------
 */

/* Is it only the key that is missing? */
static bool answers(struct idv_station *s)
{
    IDV_AUTO(buf) der = {0};
    struct idv_tpm_facts facts;
    bool found;
    return (s->tpm
                ? idv_tpm_facts(s->dev, &facts)
                : idv_device_read(s->dev, s->cert_uri, &found, &der)) == IDV_OK;
}

idv_rc idvi_station_soft_open(struct idv_station *s, bool *found)
{
    const bool older = *idv_note();
    *found = true;
    if (s->soft)
        return IDV_OK;
    idv_rc rc = idv_key_open(s->key_uri, s->c.pin, &s->soft);
    if (rc == IDV_OK)
        return IDV_OK;
    *found = false;
    if (rc != IDV_E_DEVICE || !answers(s))
        return rc;
    if (!older)
        idv_note_clear();
    return IDV_OK;
}

struct born {
    char label[64];
    bool found, stays;
};

/* object= of the key's URI, as it is */
static idv_rc label_of(const char *uri, char out[static 64])
{
    const char *at = strstr(uri, "object=");
    const size_t n = at ? strcspn(at += strlen("object="), ";?") : 0;
    if (n == 0 || memchr(at, '%', n))
        return idv_fail(IDV_E_ARG, "station: the key's URI needs object=, "
                                   "without %%xx");
    return idv_text_copy(out, 64, idv_bytes(at, n), "object=");
}

static bool see(void *arg, const struct idv_object *o)
{
    struct born *b = arg;
    if (o->type != IDV_OBJ_PRIVATE || strcmp(o->label, b->label) != 0)
        return true;
    b->found = true;
    b->stays = o->never_extractable;
    return false;
}

/* the token says of the object itself what it was made as */
static idv_rc check_token_key(struct idv_station *s)
{
    struct born b = {.found = false};
    IDV_TRY(label_of(s->key_uri, b.label));
    IDV_TRY(idv_device_list(s->dev, see, &b));
    if (!b.found)
        return idv_fail(IDV_E_REJECT, "token: its key is not in its list");
    return b.stays ? IDV_OK
                   : idv_fail(IDV_E_REJECT, "token: the key could leave it, or "
                                            "was brought from outside");
}

static bool of_type(const EVP_PKEY *key, enum idv_key_type type)
{
    if (type == IDV_KEY_RSA2048)
        return EVP_PKEY_is_a(key, "RSA") && EVP_PKEY_get_bits(key) == 2048;
    return EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_bits(key) == (type == IDV_KEY_P384 ? 384 : 256);
}

idv_rc idvi_station_soft_key(struct idv_station *s)
{
    bool found;
    IDV_TRY(idvi_station_soft_open(s, &found));
    if (!found)
        IDV_TRY(idv_key_make(s->key_uri, s->c.pin, s->c.type,
                             s->tpm ? IDV_KEY_IDEVID : IDV_KEY_SIGN, &s->soft));
    if (!of_type(s->soft, s->c.type))
        return idv_fail(IDV_E_REJECT,
                        "%s: a key of another type than %s is "
                        "there",
                        s->key_uri, idv_key_type_to_text(s->c.type));
    return s->tpm ? IDV_OK : check_token_key(s);
}
