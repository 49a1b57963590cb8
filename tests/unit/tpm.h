/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of the TPM's row share: a TPM of their own, keys, checks. */
#ifndef TESTS_UNIT_TPM_H
#define TESTS_UNIT_TPM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "provider/device/tpm2_find.h"
#include "provider/device/tpm2_list.h"
#include "provider/device/tpm2_make.h"
#include "provider/device/tpm2_template.h"
#include "tests/lib/abrmd.h"

#ifdef TPM_MANAGED
enum { tpm_managed = true }; /* behind tpm2-abrmd */
#else
enum { tpm_managed = false };
#endif
static struct abrmd tpm_manager;
static struct swtpm tpm_process;
static struct hwk_config tpm_cfg;
static struct hwk_tpm *tpm; /* the row's state */

/* the command that a session without a resource manager takes each time */
#define START (tpm_managed ? 0u : 1u)

static inline int tpm_start_managed(void)
{
    if (abrmd_start(&tpm_manager))
        return -1;
    tpm_process = tpm_manager.tpm;
    tpm_cfg = (struct hwk_config){.tcti = tpm_manager.tcti,
                                  .tpm_lock = tpm_process.lock};
    return 0;
}

static inline int tpm_start(void)
{
    if (swtpm_start(&tpm_process))
        return -1;
    tpm_cfg = (struct hwk_config){.tcti = tpm_process.tcti,
                                  .tpm_lock = tpm_process.lock};
    return 0;
}

static inline int tpm_setup(void **arg)
{
    (void)arg;
    if (!(tpm_managed ? abrmd_here() : swtpm_here()))
        return 0;
    if (tpm_managed ? tpm_start_managed() : tpm_start())
        return -1;
    tpm = hwk_tpm_new(&tpm_cfg);
    return tpm ? 0 : -1;
}

static inline int tpm_teardown(void **arg)
{
    (void)arg;
    hwk_tpm_set_fault(NULL, NULL);
    hwk_tpm_free(tpm);
    tpm = NULL;
    if (!tpm_managed)
        swtpm_stop(&tpm_process);
    else if (tpm_manager.manager)
        abrmd_stop(&tpm_manager);
    return 0;
}

/* the TPM off and on again, and its resource manager with it */
static inline int tpm_cycle(void)
{
    if (swtpm_cycle(&tpm_process))
        return -1;
    tpm_manager.tpm = tpm_process;
    return tpm_managed ? abrmd_cycle(&tpm_manager) : 0;
}

#define need_tpm()                                                             \
    do {                                                                       \
        if (!tpm)                                                              \
            skip();                                                            \
    } while (0)

static inline unsigned long long tpm_commands(void)
{
    return atomic_load(&hwk_counters.tpm_commands);
}

/* the newest reason on the error queue, which is emptied */
static inline int tpm_reason(void)
{
    int r = ERR_GET_REASON(ERR_peek_last_error());
    ERR_clear_error();
    return r;
}

static inline int tpm_count_one(void *arg, TPM2_HANDLE handle)
{
    (void)handle;
    ++*(size_t *)arg;
    return 1;
}

/* transient objects and sessions that are in the TPM now */
static inline size_t tpm_left_behind(void)
{
    size_t n = 0;
    assert_non_null(hwk_tpm_begin(tpm));
    assert_true(hwk_tpm_handles(tpm, HWK_TPM_TRANSIENT, tpm_count_one, &n));
    assert_true(hwk_tpm_handles(tpm, HWK_TPM_SESSIONS, tpm_count_one, &n));
    hwk_tpm_end(tpm);
    return n;
}

static inline struct hwk_spec tpm_ec(unsigned bits, enum hwk_usage usage)
{
    return (struct hwk_spec){
        .type = HWK_KEY_EC, .curve = hwk_curve_by_bits(bits), .usage = usage};
}

static inline struct hwk_spec tpm_rsa(unsigned bits, enum hwk_usage usage)
{
    return (struct hwk_spec){.type = HWK_KEY_RSA, .bits = bits, .usage = usage};
}

/* a plain signing key's public area, of no key yet */
static inline void tpm_template_sign(const struct hwk_tpm_kind *kind,
                                     TPM2B_PUBLIC *out)
{
    hwk_tpm_template_plain(kind, out);
    out->publicArea.objectAttributes =
        TPMA_OBJECT_FIXEDTPM | TPMA_OBJECT_FIXEDPARENT |
        TPMA_OBJECT_SENSITIVEDATAORIGIN | TPMA_OBJECT_USERWITHAUTH |
        TPMA_OBJECT_NODA | TPMA_OBJECT_SIGN_ENCRYPT;
}

static inline struct hwk_tpm_key *
tpm_make(TPM2_HANDLE handle, const struct hwk_spec *spec, const char *pin)
{
    struct hwk_uri uri = {
        .scheme = HWK_SCHEME_TPM2, .tpm = HWK_TPM_HANDLE, .handle = handle};
    struct hwk_secret *auth = pin ? hwk_secret_new(pin, strlen(pin)) : NULL;
    struct hwk_tpm_key *key = hwk_tpm_make(tpm, &uri, spec, auth);
    hwk_secret_free(auth);
    return key;
}

static inline int tpm_keep(void *arg, struct hwk_found *found)
{
    struct hwk_found *out = arg;
    *out = *found;
    found->ref = NULL;
    return 0;
}

/* finds one thing; out->type 0 when there was nothing. As hwk_tpm_find. */
static inline int tpm_find_in(struct hwk_tpm *t, const char *text,
                              unsigned want, struct hwk_found *out)
{
    struct hwk_uri uri;
    memset(out, 0, sizeof(*out));
    assert_true(hwk_uri_parse(text, &uri));
    struct hwk_pin_ask ask = {.cfg = &tpm_cfg, .uri = &uri};
    int ok = hwk_tpm_find(t, &uri, want, &ask, tpm_keep, out);
    hwk_uri_clear(&uri);
    return ok;
}

/* Whether sig (as backend.h has it) is pub's over digest, asked of OpenSSL. */
int tpm_verify(const struct hwk_pub *pub, const struct hwk_mech *mech,
               const uint8_t *digest, size_t n, const uint8_t *sig,
               size_t sig_n);
/* pub as OpenSSL's */
EVP_PKEY *tpm_evp(const struct hwk_pub *pub);

#endif
