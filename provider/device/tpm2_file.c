/* SPDX-License-Identifier: Apache-2.0 */
/* What the file of object=FILE holds. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <tss2/tss2_mu.h>

#include "provider/device/tpm2_file.h"
#include "provider/env.h"
#include "provider/err.h"
#include "provider/keyfile.h"

#define LABEL "TSS2 PRIVATE KEY"

/* what tpm2-tools put before a saved context */
#define CONTEXT_MAGIC 0xbadcc0deu
#define CONTEXT_VERSION 1

static UINT32 be32(const uint8_t *p)
{
    return (UINT32)p[0] << 24 | (UINT32)p[1] << 16 | (UINT32)p[2] << 8 | p[3];
}

static bool has_size(const uint8_t *p, size_t n)
{
    return n > 2 && (size_t)(p[0] << 8 | p[1]) == n - 2;
}

static int wrong(const char *name, const char *what)
{
    return hwk_raise(HWK_R_FORMAT, "%s: %s", name, what);
}

/* --- PEM --- */

static bool starts(const uint8_t *p, size_t n, const char *with)
{
    return n >= strlen(with) && memcmp(p, with, strlen(with)) == 0;
}

static bool is_pem(const uint8_t *p, size_t n)
{
    static const char begin[] = "-----BEGIN ";
    for (size_t at = 0; at + sizeof(begin) <= n; at++)
        if ((at == 0 || p[at - 1] == '\n') && starts(p + at, n - at, begin))
            return true;
    return false;
}

/* the first block of that label, of however many */
static int from_pem(BIO *in, struct hwk_tpm_file *out)
{
    char *label, *header;
    unsigned char *der;
    long n;
    while (PEM_read_bio(in, &label, &header, &der, &n)) {
        bool ours = strcmp(label, LABEL) == 0 && *header == 0;
        OPENSSL_free(label);
        OPENSSL_free(header);
        if (ours) {
            out->der = der;
            out->n = (size_t)n;
            return 1;
        }
        OPENSSL_free(der);
    }
    return 0;
}

static int parse_pem(const char *name, const uint8_t *p, size_t n,
                     struct hwk_tpm_file *out)
{
    BIO *in = BIO_new_mem_buf(p, (int)n);
    if (!in)
        return hwk_raise(HWK_R_MEMORY, "%s", name);
    ERR_set_mark();
    int ok = from_pem(in, out);
    ERR_pop_to_mark();
    BIO_free(in);
    out->kind = HWK_TPM_FILE_KEY;
    return ok || wrong(name, "PEM, but no whole TSS2 PRIVATE KEY in it");
}

static int parse_der(const char *name, const uint8_t *p, size_t n,
                     struct hwk_tpm_file *out)
{
    out->kind = HWK_TPM_FILE_KEY;
    out->der = OPENSSL_memdup(p, n);
    out->n = n;
    return out->der || hwk_raise(HWK_R_MEMORY, "%s", name);
}

/* --- what tpm2-tools write --- */

/* magic, version, hierarchy, handle, sequence, the blob */
static int parse_context(const char *name, const uint8_t *p, size_t n,
                         struct hwk_tpm_file *out)
{
    TPMS_CONTEXT *c = &out->context;
    if (n < 26 || be32(p + 4) != CONTEXT_VERSION)
        return wrong(name, "a saved context of a version that is not known");
    c->hierarchy = be32(p + 8);
    c->savedHandle = be32(p + 12);
    c->sequence = (UINT64)be32(p + 16) << 32 | be32(p + 20);
    c->contextBlob.size = (UINT16)(n - 26);
    if (!has_size(p + 24, n - 24) || n - 26 > sizeof(c->contextBlob.buffer))
        return wrong(name, "a saved context that is damaged");
    if (c->savedHandle >> 24 != TPM2_HT_TRANSIENT)
        return wrong(name, "the saved context of a session, which is no key");
    memcpy(c->contextBlob.buffer, p + 26, n - 26);
    out->kind = HWK_TPM_FILE_CONTEXT;
    return 1;
}

/* a handle, then its Name and more */
static int parse_handle(const char *name, const uint8_t *p, size_t n,
                        struct hwk_tpm_file *out)
{
    TPM2_HANDLE h = n < 6 ? 0 : be32(p);
    if (h >> 24 != TPM2_HT_PERSISTENT && h >> 24 != TPM2_HT_NV_INDEX)
        return wrong(name, "no key file of a TPM (TSS2 PRIVATE KEY), no "
                           "serialised handle and no saved context");
    out->kind = HWK_TPM_FILE_HANDLE;
    out->handle = h;
    return 1;
}

/* The halves of a key, in a file each. What is private has no shape but its
 * size and that of the integrity value that it begins with. */
static int refuse_half(const char *name, const uint8_t *p, size_t n)
{
    TPM2B_PUBLIC pub = {.size = 0};
    size_t at = 0;
    bool public = n > 4 && p[2] == 0 && (p[3] == 0x01 || p[3] == 0x23) &&
                  Tss2_MU_TPM2B_PUBLIC_Unmarshal(p, n, &at, &pub) == 0;
    return hwk_raise(HWK_R_FORMAT,
                     "%s: the %s part of a key alone: make one file of both "
                     "with tpm2_encodeobject -C PARENT -u PUBLIC -r PRIVATE "
                     "-o FILE",
                     name, public ? "public" : "private");
}

static int parse(const char *name, const uint8_t *p, size_t n,
                 struct hwk_tpm_file *out)
{
    if (is_pem(p, n))
        return parse_pem(name, p, n, out);
    if (hwk_keyfile_known(p, n) == HWK_FILE_TSS2)
        return parse_der(name, p, n, out);
    if (n >= 4 && be32(p) == CONTEXT_MAGIC)
        return parse_context(name, p, n, out);
    if (has_size(p, n))
        return refuse_half(name, p, n);
    return parse_handle(name, p, n, out);
}

int hwk_tpm_file_parse(const char *name, const uint8_t *p, size_t n,
                       struct hwk_tpm_file *out)
{
    memset(out, 0, sizeof(*out));
    if (parse(name, p, n, out))
        return 1;
    hwk_tpm_file_clear(out);
    return 0;
}

int hwk_tpm_file_read(const char *path, struct hwk_tpm_file *out)
{
    uint8_t *p = NULL;
    size_t n = 0;
    memset(out, 0, sizeof(*out));
    if (!hwk_file_read(path, HWK_TPM_FILE_MAX, &p, &n))
        return 0;
    int ok = hwk_tpm_file_parse(path, p, n, out);
    OPENSSL_free(p);
    return ok;
}

void hwk_tpm_file_clear(struct hwk_tpm_file *file)
{
    OPENSSL_free(file->der);
    memset(file, 0, sizeof(*file));
}
