/* SPDX-License-Identifier: Apache-2.0 */
/* The LDevID key: where it is made, which one is in use, what is left over. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "ca.h"
#include "ldevid.h"

#define PREFIX "ldevid-"
#define SUFFIX ".pem"
#define NAME_MAX_LDEVID 64

static const char *uri_in_use(const struct state *s)
{
    const struct idv_enrollment *e =
        s->trust ? idv_trust_enrollment(s->trust) : NULL;
    return e ? e->key_uri : "";
}

/* --- files of bound keys -------------------------------------------------- */

static void file_name(const struct state *s, unsigned long n,
                      char out[static NAME_MAX_LDEVID])
{
    unsigned long long generation =
        s->trust ? idv_trust_generation(s->trust) : 0;
    snprintf(out, NAME_MAX_LDEVID, PREFIX "%llu-%lu" SUFFIX, generation, n);
}

static idv_rc file_path(const struct state *s, unsigned long n,
                        char out[static 1024])
{
    char name[NAME_MAX_LDEVID];
    file_name(s, n, name);
    return tool_path(s->conf->directory, name, "", out);
}

/* Number of the file of this URI; 0: it is none of this generation's. */
static unsigned long number_of(const struct state *s, const char *uri,
                               char path[static 1024])
{
    const char *dash = strrchr(uri, '-');
    char same[IDV_KEY_URI_SIZE];
    unsigned long n = dash ? strtoul(dash + 1, NULL, 10) : 0;
    if (n && file_path(s, n, path) == IDV_OK &&
        idv_key_file_uri(path, same) == IDV_OK && strcmp(same, uri) == 0)
        return n;
    idv_note_clear();
    return 0;
}

/* 0: none is. */
static unsigned long number_in_use(const struct state *s)
{
    char path[1024];
    return number_of(s, uri_in_use(s), path);
}

/* Likewise, of the enrollment before. */
static unsigned long number_before(const struct state *s)
{
    char path[1024];
    const struct idv_enrollment *e =
        s->trust ? idv_trust_previous(s->trust) : NULL;
    return e ? number_of(s, e->key_uri, path) : 0;
}

idv_rc ldevid_path(const struct state *s, const char *uri,
                   char out[static 1024])
{
    return number_of(s, uri, out) ? IDV_OK
                                  : idv_fail(IDV_E_ARG,
                                             "%.100s: no key of "
                                             "this device's",
                                             uri);
}

idv_rc ldevid_tidy(const struct state *s)
{
    char used[NAME_MAX_LDEVID], next[NAME_MAX_LDEVID], path[1024];
    char before[NAME_MAX_LDEVID];
    const unsigned long n = number_in_use(s), b = number_before(s);
    file_name(s, n, used);
    file_name(s, b, before);
    file_name(s, n + 1, next);
    DIR *d = opendir(s->conf->directory);
    if (!d)
        return idv_fail(IDV_E_IO, "%s: %m", s->conf->directory);
    idv_rc rc = IDV_OK;
    for (struct dirent *e; rc == IDV_OK && (e = readdir(d));) {
        if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0 ||
            strcmp(e->d_name, next) == 0 ||
            (n && strcmp(e->d_name, used) == 0) ||
            (b && strcmp(e->d_name, before) == 0))
            continue;
        rc = tool_path(s->conf->directory, e->d_name, "", path);
        if (rc == IDV_OK)
            rc = idv_fs_remove(path);
    }
    closedir(d);
    return rc;
}

static bool has_type(const EVP_PKEY *key, enum idv_key_type type)
{
    int bits = EVP_PKEY_get_bits(key);
    bool rsa = EVP_PKEY_is_a(key, "RSA") == 1;
    switch (type) {
    case IDV_KEY_P256:
        return !rsa && bits == 256;
    case IDV_KEY_P384:
        return !rsa && bits == 384;
    case IDV_KEY_P521:
        return !rsa && bits == 521;
    case IDV_KEY_RSA2048:
        return rsa && bits == 2048;
    case IDV_KEY_RSA3072:
        return rsa && bits == 3072;
    }
    return false;
}

/* what a cut join or renewal left */
static bool reuse(const char *path, const char *uri, enum idv_key_type type,
                  EVP_PKEY **key)
{
    IDV_AUTO_PTR(EVP_PKEY) old = NULL;
    bool good = idv_fs_exists(path) &&
                idv_key_open(uri, &tool_pin, &old) == IDV_OK &&
                has_type(old, type);
    idv_note_clear();
    if (good)
        *key = idv_steal(&old);
    return good;
}

static idv_rc make_bound(const struct state *s, enum idv_key_type type,
                         EVP_PKEY **key, char uri[static 512])
{
    IDV_AUTO(buf) policy = {0};
    const struct idv_anchor_seen *seen = idv_trust_seen(s->trust);
    char path[1024];
    IDV_TRY(file_path(s, number_in_use(s) + 1, path));
    IDV_TRY(idv_key_file_uri(path, uri));
    if (reuse(path, uri, type, key))
        return IDV_OK;
    IDV_TRY(idv_record_key_policy(idv_trust_record(s->trust),
                                  seen->anchor.index, seen->count.index,
                                  &policy));
    return idv_key_make_file(path, type, (const char *)policy.p, key);
}

/* --- either kind ---------------------------------------------------------- */

idv_rc ldevid_bound(const struct state *s, bool *bound)
{
    const bool asked = s->conf->anchor.bind_ldevid == ANCHOR_BIND_YES;
    *bound = false;
    if (s->conf->anchor.bind_ldevid == ANCHOR_BIND_NO)
        return IDV_OK;
    const bool token =
        s->trust && strcmp(idv_trust_profile(s->trust), "token") == 0;
    if (asked && token)
        return idv_fail(IDV_E_ARG,
                        "anchor.bind-ldevid = yes: only a TPM can do that");
    const bool can = s->trust && !token && idv_trust_generation(s->trust) > 0;
    if (asked && s->conf->ldevid_key)
        return idv_fail(IDV_E_ARG, "anchor.bind-ldevid = yes makes keys in "
                                   "files: ldevid.key is not for these");
    *bound = can && !s->conf->ldevid_key;
    return IDV_OK;
}

idv_rc ldevid_renewed(const struct state *s, bool *new_key)
{
    const int wanted = s->conf->renewed_key;
    IDV_TRY(ldevid_bound(s, new_key));
    if (wanted == RENEWED_KEY_AUTO)
        return IDV_OK;
    if (wanted == RENEWED_KEY_NEW && !*new_key && !*s->ldevid_other)
        return idv_fail(IDV_E_ARG, "enroll.key = new takes turns between two "
                                   "places: ldevid.key names one");
    *new_key = wanted == RENEWED_KEY_NEW;
    return IDV_OK;
}

/* A certificate there is not overwritten by a renewal: its key may be the only
 * one that works. */
static const char *free_place(const struct state *s)
{
    const bool takes_turns = *s->ldevid_other &&
                             s->conf->renewed_key == RENEWED_KEY_NEW &&
                             strcmp(uri_in_use(s), s->ldevid) == 0;
    return takes_turns ? s->ldevid_other : s->ldevid;
}

idv_rc ldevid_make(void *state, enum idv_key_type type, EVP_PKEY **key,
                   char uri[static 512])
{
    const struct state *s = state;
    const char *place = free_place(s);
    bool bound;
    IDV_TRY(ldevid_bound(s, &bound));
    if (bound)
        return make_bound(s, type, key, uri);
    IDV_TRY(idv_text_copy(uri, 512, idv_str(place), "URI"));
    idv_rc rc = tool_key(place, type, IDV_KEY_SIGN, key, NULL);
    if (rc == IDV_OK && has_type(*key, type))
        return IDV_OK;
    if (rc != IDV_OK && rc != IDV_E_DEVICE)
        return rc;
    idv_note_clear(); /* half a key: one was erased, and that was cut */
    EVP_PKEY_free(idv_steal(key));
    IDV_TRY(idv_device_erase(s->dev, place));
    return idv_key_make(place, &tool_pin, type, IDV_KEY_SIGN, key);
}

idv_rc ldevid_open(void *state, const char *uri, EVP_PKEY **key)
{
    (void)state;
    return idv_key_open(uri, &tool_pin, key);
}

bool ldevid_is_bound(const char *uri)
{
    return strncmp(uri, "tpm2:object=", 12) == 0;
}

void ldevid_keys(const struct state *s, struct ldevid_keys *out)
{
    const struct idv_enrollment *before =
        s->trust ? idv_trust_previous(s->trust) : NULL;
    snprintf(out->uri[0], sizeof(out->uri[0]), "%s", uri_in_use(s));
    snprintf(out->uri[1], sizeof(out->uri[1]), "%s",
             before ? before->key_uri : "");
}

static bool among(const char *uri, const struct ldevid_keys *keys)
{
    return strcmp(uri, keys->uri[0]) == 0 || strcmp(uri, keys->uri[1]) == 0;
}

idv_rc ldevid_retire(const struct state *s, const struct ldevid_keys *before)
{
    struct ldevid_keys now;
    ldevid_keys(s, &now);
    for (int i = 0; i < 2; i++) {
        const char *uri = before->uri[i];
        if (*uri && !ldevid_is_bound(uri) && !among(uri, &now) &&
            !(i && strcmp(uri, before->uri[0]) == 0))
            IDV_TRY(idv_device_erase(s->dev, uri));
    }
    return ldevid_tidy(s);
}

idv_rc ldevid_erase(const struct state *s, const char *uri)
{
    if (*uri && !ldevid_is_bound(uri) && strcmp(uri, s->ldevid) != 0)
        IDV_TRY(idv_device_erase(s->dev, uri));
    if (!ldevid_is_bound(s->ldevid))
        IDV_TRY(idv_device_erase(s->dev, s->ldevid));
    if (*s->ldevid_other && s->conf->renewed_key == RENEWED_KEY_NEW)
        IDV_TRY(idv_device_erase(s->dev, s->ldevid_other));
    return ldevid_tidy(s);
}
