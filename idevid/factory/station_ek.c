/* SPDX-License-Identifier: Apache-2.0 */
/* Which endorsement key the TPM is known by, and its certificate. */
#include <stdio.h>
#include <string.h>

#include <idevid/codec.h>
#include <idevid/ek.h>
#include <idevid/fs.h>

#include "factory/station_int.h"

/* TCG EK Credential Profile: where certificates are, in the order in which they
 * are looked for; and so of the keys that are made for it */
static const struct row {
    uint32_t index;
    enum idv_key_type type;
} rows[] = {
    {0x01C0000A, IDV_KEY_P256},    {0x01C00014, IDV_KEY_P256},
    {0x01C00016, IDV_KEY_P384},    {0x01C00002, IDV_KEY_RSA2048},
    {0x01C00012, IDV_KEY_RSA2048},
};
#define N_ROWS (sizeof(rows) / sizeof(*rows))

static idv_rc make(struct idv_station *s, const struct row *row)
{
    idvi_station_drop(s, &s->ek);
    s->ek_row = row->index;
    s->ek_type = row->type;
    return idvi_station_make(s, HWK_DEVID_EK, row->type, row->index, 0, &s->ek);
}

idv_rc idvi_station_ek_again(struct idv_station *s)
{
    if (s->ek.there)
        return IDV_OK;
    return idvi_station_make(s, HWK_DEVID_EK, s->ek_type, s->ek_row, 0, &s->ek);
}

static bool fits(const struct idv_station *s, const X509 *cert)
{
    const EVP_PKEY *key = X509_get0_pubkey(cert);
    return key && EVP_PKEY_eq(key, s->ek.pub) == 1;
}

/* --- in NV -----------------------------------------------------------------
 */

/* Whom it is for is judged by who knows the vendors; nothing is gained by a
 * session that proves the bytes. */
static idv_rc read_nv(uint32_t index, X509 **out)
{
    char uri[32];
    snprintf(uri, sizeof(uri), "tpm2:handle=0x%08x", index);
    idv_rc rc = idv_cert_open(uri, NULL, out);
    return rc == IDV_OK ? rc : idv_fail_within(rc, "EK certificate");
}

/* an index that the table does not have: by the certificate's own key */
static const struct row *row_of(uint32_t index, const X509 *cert,
                                struct row *own)
{
    const EVP_PKEY *key = X509_get0_pubkey(cert);
    for (size_t i = 0; i < N_ROWS; i++)
        if (rows[i].index == index)
            return &rows[i];
    *own = (struct row){0, IDV_KEY_P256};
    if (key && EVP_PKEY_is_a(key, "RSA"))
        own->type = IDV_KEY_RSA2048;
    else if (key && EVP_PKEY_get_bits(key) > 256)
        own->type = IDV_KEY_P384;
    return own;
}

static idv_rc from_nv(struct idv_station *s, uint32_t index,
                      enum idv_factory_why *why)
{
    struct row own;
    idv_rc rc = read_nv(index, &s->ek_cert);
    if (rc != IDV_OK)
        return idvi_station_refuse(
            why, rc == IDV_E_DEVICE ? IDV_WHY_DEVICE : IDV_WHY_EK_MISSING, rc);
    IDV_TRY(make(s, row_of(index, s->ek_cert, &own)));
    if (!fits(s, s->ek_cert))
        return idvi_station_refuse(
            why, IDV_WHY_EK_KEY,
            idv_fail(IDV_E_REJECT,
                     "EK certificate in NV index 0x%08X is for another key "
                     "than this TPM's",
                     index));
    return IDV_OK;
}

static uint32_t find(const uint32_t *listed, size_t n)
{
    for (size_t i = 0; i < N_ROWS; i++)
        for (size_t j = 0; j < n; j++)
            if (listed[j] == rows[i].index)
                return rows[i].index;
    return 0;
}

/* --- in files --------------------------------------------------------------
 */

static bool is_folder(const char *path)
{
    char dot[1024];
    const int n = snprintf(dot, sizeof(dot), "%s/.", path);
    return n > 0 && (size_t)n < sizeof(dot) && idv_fs_exists(dot);
}

/* the file for this EK; "" none */
static idv_rc file_of(const struct idv_station *s, char path[static 1024])
{
    static const char *const endings[] = {"der", "pem", "crt"};
    IDV_AUTO(buf) hex = {0};
    uint8_t id[32];
    IDV_TRY(idv_key_fingerprint(s->ek.pub, id));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(id, sizeof(id)), &hex));
    for (size_t i = 0; i < 3; i++) {
        const int n = snprintf(path, 1024, "%s/%s.%s", s->c.ek_cert_file,
                               (const char *)hex.p, endings[i]);
        if (n > 0 && n < 1024 && idv_fs_exists(path))
            return IDV_OK;
    }
    *path = 0;
    return IDV_OK;
}

static idv_rc try_row(struct idv_station *s, const struct row *row,
                      const X509 *only, bool *found)
{
    char path[1024] = "";
    IDV_AUTO_PTR(X509) cert = NULL;
    IDV_TRY(make(s, row));
    if (only) {
        *found = fits(s, only);
        return IDV_OK;
    }
    IDV_TRY(file_of(s, path));
    if (!*path)
        return IDV_OK;
    IDV_TRY(idv_cert_open(path, NULL, &cert));
    *found = fits(s, cert);
    if (!*found)
        return idv_fail(IDV_E_REJECT,
                        "%s: the EK certificate is for another key than its "
                        "name says",
                        path);
    s->ek_cert = idv_steal(&cert);
    return IDV_OK;
}

static bool of_type(const X509 *cert, enum idv_key_type type)
{
    const EVP_PKEY *key = X509_get0_pubkey(cert);
    if (type == IDV_KEY_RSA2048)
        return key && EVP_PKEY_is_a(key, "RSA");
    return key && EVP_PKEY_is_a(key, "EC") &&
           EVP_PKEY_get_bits(key) == (type == IDV_KEY_P384 ? 384 : 256);
}

static idv_rc from_files(struct idv_station *s, enum idv_factory_why *why)
{
    const bool folder = is_folder(s->c.ek_cert_file);
    bool found = false;
    if (!folder)
        IDV_TRY(idv_cert_open(s->c.ek_cert_file, NULL, &s->ek_cert));
    for (size_t i = 0; !found && i < N_ROWS; i++)
        if (folder || of_type(s->ek_cert, rows[i].type))
            IDV_TRY(try_row(s, &rows[i], s->ek_cert, &found));
    if (found)
        return IDV_OK;
    if (folder)
        return idvi_station_refuse(
            why, IDV_WHY_EK_MISSING,
            idv_fail(IDV_E_REJECT, "EK certificate: %s has none for this TPM",
                     s->c.ek_cert_file));
    return idvi_station_refuse(
        why, IDV_WHY_EK_KEY,
        idv_fail(IDV_E_REJECT, "%s: the EK certificate is for another TPM",
                 s->c.ek_cert_file));
}

idv_rc idvi_station_ek(struct idv_station *s, const uint32_t *listed, size_t n,
                       enum idv_factory_why *why)
{
    const uint32_t index = s->c.ek_index ? s->c.ek_index : find(listed, n);
    if (s->c.profile == IDV_PROFILE_PLAIN || (!s->c.ek_cert_file && !index))
        return make(s, &(struct row){0, IDV_KEY_P256});
    return s->c.ek_cert_file ? from_files(s, why) : from_nv(s, index, why);
}
