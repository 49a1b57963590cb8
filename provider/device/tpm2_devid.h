/* SPDX-License-Identifier: Apache-2.0 */
/* The TCG's templates of device identity keys, in the dialects that the world
 * writes them in: all pure. */
#ifndef HWK_TPM2_DEVID_H
#define HWK_TPM2_DEVID_H

#include <tss2/tss2_tpm2_types.h>

#include "provider/device/tpm2_template.h"
#include "provider/pub.h"
#include "provider/uri.h"

/*
 * The same seed and the same template give the same key for life, but one byte
 * of the template more gives another. The templates of "TPM 2.0 Keys for Device
 * Identity and Attestation" 7.3.4:
 *
 *   H-1  RSA 2048, SHA-256      IDevID: any scheme, IAK: RSASSA with SHA-256
 *   H-2  EC P-256, SHA-256      ECDSA with the hash beside it, in both
 *   H-3  EC P-384, SHA-384
 *   H-4  EC P-521, SHA-512
 *
 * All have "IDEVID" or "IAK" in unique. An EC key's has two halves, and who
 * made the device decided what is in the second:
 *
 *   swtpm    x "IDEVID", y empty        (our own)
 *   keylime  x "IDEVID", y "IDEVID"
 *   wolftpm  x "IDE", y "VID"           ("I" and "A" of an IAK)
 *
 * and NAME-null is the same without a scheme: for an IDevID only, since what
 * an IAK signs with must be said.
 */
struct hwk_tpm_devid {
    enum hwk_tpm_name purpose; /* HWK_TPM_IDEVID or HWK_TPM_IAK */
    unsigned kind, dialect;    /* rows of the tables */
};

#define HWK_TPM_DEVID_NAME_MAX 24

/* The i-th (from 0) in the order in which they are tried: P-256 first, RSA,
 * which takes TPMs longest, last, and our own dialect before others. 0 behind
 * the last. */
int hwk_tpm_devid_nth(enum hwk_tpm_name purpose, size_t i,
                      struct hwk_tpm_devid *out);

/* "H-2/keylime"; of RSA keys, where all agree, "H-1" */
void hwk_tpm_devid_name(const struct hwk_tpm_devid *d,
                        char out[static HWK_TPM_DEVID_NAME_MAX]);
/* Whether text names it: whole, or by its kind alone ("H-2"). */
bool hwk_tpm_devid_is(const struct hwk_tpm_devid *d, const char *text);
/* Whether text names any, of either purpose. */
bool hwk_tpm_devid_known(const char *text);

/* Whether pub can be such a key: its type and size. */
bool hwk_tpm_devid_like(const struct hwk_tpm_devid *d,
                        const struct hwk_pub *pub);

/* The public area to create it from. 0 when libcrypto fails; raises nothing. */
int hwk_tpm_devid_template(const struct hwk_tpm_devid *d, TPM2B_PUBLIC *out);

/* The same for keys of kind, in our own dialect. 0 also where TCG has no such
 * template. */
int hwk_tpm_devid_own(enum hwk_tpm_name purpose,
                      const struct hwk_tpm_kind *kind, TPM2B_PUBLIC *out);

#endif
