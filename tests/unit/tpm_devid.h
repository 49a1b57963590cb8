/* SPDX-License-Identifier: Apache-2.0 */
/* A software TPM as its vendor ships it, device identities in it, and
 * credentials made for them by tpm2-tools. */
#ifndef TESTS_UNIT_TPM_DEVID_H
#define TESTS_UNIT_TPM_DEVID_H

#include <fcntl.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <sys/wait.h>
#include <tss2/tss2_mu.h>
#include <unistd.h>

#include "provider/device/tpm2_door_devid.h"
#include "provider/device/tpm2_nv.h"
#include "provider/device/tpm2_public.h"
#include "tpm_door.h"

#define DEVID hwk_tpm_door_devid
#define EK_FIRST 0x01c00000
#define EK_LAST 0x01c0ffff
#define EK_RSA 0x01c00002  /* low range: used by its policy */
#define EK_P384 0x01c00016 /* high range: by its empty value, too */

static inline int devid_setup(void **arg)
{
    (void)arg;
    if (!(tpm_managed ? abrmd_here() : swtpm_here()) || !swtpm_vendor_here() ||
        !program_here("tpm2_makecredential"))
        return 0;
    if (tpm_managed ? abrmd_start_vendor(&tpm_manager, NULL)
                    : swtpm_start_vendor(&tpm_process, NULL))
        return -1;
    if (tpm_managed)
        tpm_process = tpm_manager.tpm;
    tpm_cfg = (struct hwk_config){.tcti = tpm_managed ? tpm_manager.tcti
                                                      : tpm_process.tcti,
                                  .tpm_lock = tpm_process.lock};
    tpm = hwk_tpm_new(&tpm_cfg);
    return tpm ? 0 : -1;
}

/* nothing is left behind but sessions that are kept, and nothing on the queue
 */
static inline void devid_clean(void)
{
    if (tpm_managed) {
        assert_non_null(hwk_tpm_begin(tpm));
        hwk_tpm_flush(tpm, &tpm->sessions.policy.tr);
        hwk_tpm_flush(tpm, &tpm->sessions.hmac.tr);
        hwk_tpm_end(tpm);
    }
    assert_int_equal(tpm_left_behind(), 0);
    assert_int_equal(ERR_peek_error(), 0);
}

static inline struct hwk_born devid_make(enum hwk_devid what, const char *type,
                                         uint32_t cert)
{
    struct hwk_born b;
    assert_true(DEVID.create(tpm, what, type, cert, 0, &b));
    assert_int_equal(b.what, what);
    assert_true(b.fresh);
    return b;
}

static inline void devid_public(const struct hwk_born *b, TPM2B_PUBLIC *out)
{
    size_t at = 0;
    memset(out, 0, sizeof(*out));
    assert_int_equal(
        Tss2_MU_TPMT_PUBLIC_Unmarshal(b->pub, b->pub_n, &at, &out->publicArea),
        0);
    assert_int_equal(at, b->pub_n);
}

static inline EVP_PKEY *devid_pkey(const struct hwk_born *b)
{
    TPM2B_PUBLIC pub;
    struct hwk_pub key;
    devid_public(b, &pub);
    assert_true(hwk_tpm_public(&pub, &key));
    return tpm_evp(&key);
}

/* the certificate at that index is for it */
static inline void devid_is_cert(const struct hwk_born *b, uint32_t index)
{
    struct hwk_tpm_nv nv;
    EVP_PKEY *key = devid_pkey(b);
    assert_true(hwk_tpm_nv_read(tpm, index, NULL, &nv));
    const uint8_t *p = nv.data;
    X509 *cert = d2i_X509(NULL, &p, (long)nv.n);
    assert_non_null(cert);
    assert_int_equal(EVP_PKEY_eq(X509_get0_pubkey(cert), key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    hwk_tpm_nv_clear(&nv);
}

/* --- credentials, by tpm2-tools, without a TPM --- */

#define DEVID_SECRET 32

struct devid_credential {
    uint8_t secret[DEVID_SECRET];
    uint8_t blob[1024]; /* of both, one behind the other */
    size_t n;
    struct hwk_view id, seed; /* in blob, with their sizes in front */
};

static inline void devid_file(const char *name, const void *p, size_t n)
{
    char path[160];
    snprintf(path, sizeof(path), "%s/%s", tpm_process.dir, name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void devid_tool(const struct hwk_born *key)
{
    char name[2 * sizeof(key->name) + 1] = "";
    int status = -1;
    for (size_t i = 0; i < key->name_n; i++)
        snprintf(name + 2 * i, 3, "%02x", key->name[i]);
    pid_t pid = fork();
    if (pid == 0) {
        if (chdir(tpm_process.dir) == 0)
            execlp("tpm2_makecredential", "tpm2_makecredential", "-Q", "-T",
                   "none", "-u", "ek.pub", "-s", "secret", "-n", name, "-o",
                   "credential", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* a TPM2B behind the other; its size in front */
static inline struct hwk_view devid_part(const struct devid_credential *c,
                                         size_t at)
{
    struct hwk_view v = {c->blob + at, 0};
    assert_true(at + 2 <= c->n);
    v.n = 2 + (size_t)(v.p[0] << 8 | v.p[1]);
    assert_true(at + v.n <= c->n);
    return v;
}

/* for the key of that name, by the TPM that has the EK */
static inline void devid_credential(const struct hwk_born *ek,
                                    const struct hwk_born *key,
                                    struct devid_credential *out)
{
    TPM2B_PUBLIC pub;
    uint8_t p[sizeof(pub)];
    char path[160];
    size_t n = 0;
    devid_public(ek, &pub);
    assert_int_equal(Tss2_MU_TPM2B_PUBLIC_Marshal(&pub, p, sizeof(p), &n), 0);
    devid_file("ek.pub", p, n);
    assert_int_equal(RAND_bytes(out->secret, DEVID_SECRET), 1);
    devid_file("secret", out->secret, DEVID_SECRET);
    devid_tool(key);
    snprintf(path, sizeof(path), "%s/credential", tpm_process.dir);
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    out->n = fread(out->blob, 1, sizeof(out->blob), f);
    fclose(f);
    assert_memory_equal(out->blob, "\xba\xdc\xc0\xde\0\0\0\1", 8);
    out->id = devid_part(out, 8);
    out->seed = devid_part(out, 8 + out->id.n);
}

/* activated: the very secret */
static inline void devid_activates(const struct hwk_born *what,
                                   const struct hwk_born *ek,
                                   const struct devid_credential *c)
{
    uint8_t got[64];
    size_t n = sizeof(got);
    assert_true(DEVID.activate(tpm, what, ek, c->id, c->seed, got, &n));
    assert_int_equal(n, DEVID_SECRET);
    assert_memory_equal(got, c->secret, n);
}

/* --- what was signed, asked of OpenSSL --- */

static inline const EVP_MD *devid_md(const struct hwk_born *b)
{
    return b->name[1] == TPM2_ALG_SHA384   ? EVP_sha384()
           : b->name[1] == TPM2_ALG_SHA512 ? EVP_sha512()
                                           : EVP_sha256();
}

static inline void devid_signed(const struct hwk_born *by, const uint8_t *p,
                                size_t n, const uint8_t *sig, size_t sig_n)
{
    EVP_PKEY *key = devid_pkey(by);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    assert_true(EVP_DigestVerifyInit(ctx, NULL, devid_md(by), NULL, key) > 0);
    assert_int_equal(EVP_DigestVerify(ctx, sig, sig_n, p, n), 1);
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
}

#endif
