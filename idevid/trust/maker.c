/* SPDX-License-Identifier: Apache-2.0 */
/* The maker's trust anchors: what stands for them, and whether it is that. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/limits.h>
#include <idevid/x509.h>

#include "trust/maker.h"

/*
 * Test vector. One certificate whose DER has the SHA-256 c3 (32 times):
 *   49444d41 0001 0001 c3 (32 times)
 */

#define VERSION 1
static const uint8_t magic[4] = {'I', 'D', 'M', 'A'};

/* --- what stands for certificates ---------------------------------------- */

struct ders {
    struct idv_buf der[IDV_MAX_CHAIN];
    size_t n;
};

static void ders_free(struct ders *d)
{
    for (size_t i = 0; i < d->n; i++)
        idv_buf_free(&d->der[i]);
}

static int compare(const void *a, const void *b)
{
    const struct idv_buf *x = a, *y = b;
    const size_t n = x->n < y->n ? x->n : y->n;
    const int c = memcmp(x->p, y->p, n);
    return c ? c : (x->n > y->n) - (x->n < y->n);
}

static idv_rc encode(const STACK_OF(X509) * certs, struct ders *out)
{
    const int n = sk_X509_num(certs);
    if (n < 1 || n > IDV_MAX_CHAIN)
        return idv_fail(IDV_E_ARG,
                        "maker's anchors: %d certificates, not 1 "
                        "to %d",
                        n < 0 ? 0 : n, IDV_MAX_CHAIN);
    for (int i = 0; i < n; i++)
        IDV_TRY(idv_cert_to_der(sk_X509_value(certs, i), &out->der[out->n++]));
    return IDV_OK;
}

static idv_rc digest(struct ders *d, struct idv_maker *out)
{
    IDV_AUTO_PTR(EVP_MD_CTX) md = EVP_MD_CTX_new();
    struct idv_maker m = {0};
    qsort(d->der, d->n, sizeof(d->der[0]), compare);
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; i < d->n && ok; i++) {
        if (i && compare(&d->der[i - 1], &d->der[i]) == 0)
            continue;
        ok = EVP_DigestUpdate(md, d->der[i].p, d->der[i].n) == 1;
        m.count++;
    }
    if (!ok || EVP_DigestFinal_ex(md, m.sha256, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "maker's anchors: SHA-256");
    *out = m;
    return IDV_OK;
}

idv_rc idv_maker_from_certs(const STACK_OF(X509) * certs, struct idv_maker *out)
{
    struct ders d = {0};
    idv_rc rc = encode(certs, &d);
    if (rc == IDV_OK)
        rc = digest(&d, out);
    ders_free(&d);
    return rc;
}

void idv_maker_to_bytes(const struct idv_maker *m,
                        uint8_t out[static IDV_MAKER_SIZE])
{
    memcpy(out, magic, sizeof(magic));
    out[4] = 0;
    out[5] = VERSION;
    out[6] = (uint8_t)(m->count >> 8);
    out[7] = (uint8_t)m->count;
    memcpy(out + 8, m->sha256, 32);
}

idv_rc idv_maker_from_bytes(struct idv_bytes raw, struct idv_maker *out)
{
    if (raw.n != IDV_MAKER_SIZE || memcmp(raw.p, magic, sizeof(magic)) != 0)
        return idv_fail(IDV_E_FORMAT,
                        "maker's anchors: not %d bytes that begin with IDMA",
                        IDV_MAKER_SIZE);
    const unsigned version = (unsigned)raw.p[4] << 8 | raw.p[5],
                   count = (unsigned)raw.p[6] << 8 | raw.p[7];
    if (version != VERSION)
        return idv_fail(IDV_E_FORMAT, "maker's anchors: version %u is unknown",
                        version);
    if (!count)
        return idv_fail(IDV_E_FORMAT, "maker's anchors: of no certificate");
    out->count = (uint16_t)count;
    memcpy(out->sha256, raw.p + 8, 32);
    return IDV_OK;
}

/* --- in a device ---------------------------------------------------------- */

static idv_rc read_device(struct idv_device *dev, uint32_t index,
                          struct idvi_maker_seen *seen)
{
    struct idv_device_info info = {0};
    *seen = (struct idvi_maker_seen){0};
    IDV_TRY(idv_device_info(dev, &info));
    return info.tpm ? idvi_maker_tpm_read(dev, index, seen)
                    : idvi_maker_token_read(dev, seen);
}

/* both in full: whoever compares them by eye sees which file it was */
static idv_rc differ(idv_rc rc, const struct idv_maker *file,
                     const struct idvi_maker_seen *seen)
{
    IDV_AUTO(buf) theirs = {0};
    IDV_AUTO(buf) ours = {0};
    struct idv_maker sealed;
    IDV_TRY(
        idv_maker_from_bytes(idv_bytes(seen->raw, sizeof(seen->raw)), &sealed));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(file->sha256, 32), &theirs));
    IDV_TRY(idv_hex_from_bytes(idv_bytes(sealed.sha256, 32), &ours));
    return idv_fail(rc,
                    "not the maker's anchors that this device was made with: "
                    "SHA-256 of the %u in the file is %s, that of the %u in %s "
                    "is %s",
                    file->count, (const char *)theirs.p, sealed.count,
                    seen->where, (const char *)ours.p);
}

idv_rc idv_maker_check(struct idv_device *dev, uint32_t index,
                       const STACK_OF(X509) * certs, bool *sealed,
                       char where[static 96])
{
    struct idv_maker file;
    struct idvi_maker_seen seen;
    uint8_t raw[IDV_MAKER_SIZE];
    IDV_TRY(idv_maker_from_certs(certs, &file));
    IDV_TRY(read_device(dev, index, &seen));
    *sealed = seen.found;
    if (!seen.found)
        return IDV_OK;
    memcpy(where, seen.where, sizeof(seen.where));
    idv_maker_to_bytes(&file, raw);
    if (memcmp(raw, seen.raw, sizeof(raw)) == 0)
        return IDV_OK;
    return differ(IDV_E_REJECT, &file, &seen);
}

static idv_rc may_flag(const struct idv_device_info *info, unsigned flags)
{
    if (info->tpm && flags & IDV_MAKER_BY_SO)
        return idv_fail(IDV_E_ARG, "a TPM has no security officer");
    if (!info->tpm && flags & IDV_MAKER_BY_PLATFORM)
        return idv_fail(IDV_E_ARG, "a token has no platform hierarchy");
    return IDV_OK;
}

/* Another one that is whole is named; what was cut is for write to complete. */
static idv_rc check_vacant(struct idv_device *dev, uint32_t index,
                           const struct idv_maker *file,
                           const uint8_t raw[static IDV_MAKER_SIZE], bool *done)
{
    struct idvi_maker_seen seen;
    idv_rc rc = read_device(dev, index, &seen);
    *done = false;
    if (rc == IDV_E_REJECT) {
        idv_note_clear();
        return IDV_OK;
    }
    IDV_TRY(rc);
    *done = seen.found && memcmp(seen.raw, raw, sizeof(seen.raw)) == 0;
    return *done || !seen.found ? IDV_OK : differ(IDV_E_STATE, file, &seen);
}

idv_rc idv_maker_seal(struct idv_device *dev, uint32_t index,
                      const STACK_OF(X509) * certs, unsigned flags)
{
    struct idv_device_info info = {0};
    struct idv_maker file;
    uint8_t raw[IDV_MAKER_SIZE];
    const bool platform = flags & IDV_MAKER_BY_PLATFORM;
    bool done;
    char where[96];
    IDV_TRY(idv_device_info(dev, &info));
    IDV_TRY(may_flag(&info, flags));
    IDV_TRY(idv_maker_from_certs(certs, &file));
    idv_maker_to_bytes(&file, raw);
    if (platform && !index) /* whatever the owner has */
        index = IDV_MAKER_PLATFORM_INDEX;
    IDV_TRY(check_vacant(dev, index, &file, raw, &done));
    if (done)
        return IDV_OK;
    IDV_TRY(info.tpm
                ? idvi_maker_tpm_write(dev, index, raw, platform)
                : idvi_maker_token_write(dev, raw, flags & IDV_MAKER_BY_SO));
    IDV_TRY(idv_maker_check(dev, index, certs, &done, where));
    if (!done)
        return idv_fail(IDV_E_DEVICE,
                        "maker's anchors: written, and not there");
    return IDV_OK;
}
