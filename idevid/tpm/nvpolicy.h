/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a TPM would compute: Names of NV indices and policy digests, without
 * one. SHA-256 only; all integers big-endian (TPM 2.0 Library Part 1 "NV
 * Memory", Part 2 "Structures", Part 3 "Enhanced Authorization").
 */
#ifndef IDEVID_TPM_NVPOLICY_H
#define IDEVID_TPM_NVPOLICY_H

#include <idevid/buf.h>

#include "provider/device.h"

/* TPMA_NV; the type of an index is in bits 4 to 7 */
#define IDVI_NV_OWNERWRITE 0x00000002u
#define IDVI_NV_PPWRITE 0x00000001u
#define IDVI_NV_AUTHWRITE 0x00000004u
#define IDVI_NV_POLICYWRITE 0x00000008u
#define IDVI_NV_COUNTER 0x00000010u
#define IDVI_NV_TYPE 0x000000f0u
#define IDVI_NV_POLICY_DELETE 0x00000400u
#define IDVI_NV_WRITELOCKED 0x00000800u
#define IDVI_NV_WRITEALL 0x00001000u
#define IDVI_NV_WRITEDEFINE 0x00002000u
#define IDVI_NV_PPREAD 0x00010000u
#define IDVI_NV_OWNERREAD 0x00020000u
#define IDVI_NV_AUTHREAD 0x00040000u
#define IDVI_NV_POLICYREAD 0x00080000u
#define IDVI_NV_NO_DA 0x02000000u
#define IDVI_NV_WRITTEN 0x20000000u
#define IDVI_NV_PLATFORMCREATE 0x40000000u

#define IDVI_ALG_SHA256 0x000bu
#define IDVI_RH_OWNER 0x40000001u
#define IDVI_RH_PLATFORM 0x4000000cu

/* TPM_CC, of commands that policies name and of policy commands */
#define IDVI_CC_NV_UNDEFINE_SPECIAL 0x0000011fu
#define IDVI_CC_NV_INCREMENT 0x00000134u
#define IDVI_CC_NV_WRITE 0x00000137u
#define IDVI_CC_NV_WRITELOCK 0x00000138u
#define IDVI_CC_POLICY_NV 0x00000149u
#define IDVI_CC_POLICY_SECRET 0x00000151u
#define IDVI_CC_POLICY_CPHASH 0x0000016eu
#define IDVI_CC_POLICY_AUTHORIZE 0x0000016au
#define IDVI_CC_POLICY_COMMAND 0x0000016cu
#define IDVI_CC_POLICY_OR 0x00000171u
#define IDVI_CC_POLICY_PCR 0x0000017fu

#define IDVI_EO_EQ 0x0000u /* TPM_EO: equal */

#define IDVI_DIGEST 32
#define IDVI_NV_NAME 34       /* TPM_ALG_ID and digest */
#define IDVI_NV_PUBLIC_MAX 78 /* TPMS_NV_PUBLIC with a policy of 64 bytes */
#define IDVI_NV_DATA_MAX 2048 /* no TPM takes more in one command */

/* --- the public area of an index: TPMS_NV_PUBLIC --- */

/* The bytes; their number is returned. The Name is no part of them. */
size_t idvi_nv_to_bytes(const struct hwk_nv *nv,
                        uint8_t out[static IDVI_NV_PUBLIC_MAX]);
/* And back, with the Name. IDV_E_FORMAT: too short, too long, another nameAlg
 * than SHA-256, a policy that is no digest of it. */
idv_rc idvi_nv_from_bytes(struct idv_bytes raw, struct hwk_nv *out) IDV_CHECKED;
/* Fills nv->name from the rest; name_alg must be SHA-256. */
void idvi_nv_name(struct hwk_nv *nv);

/* --- policy digests: each continues the digest at p, which begins as zeros ---
 */

/* PolicyNV: the index of that Name compares so with operand at offset; operand
 * is at most 64 bytes. */
void idvi_policy_nv(uint8_t p[static IDVI_DIGEST],
                    const uint8_t name[static IDVI_NV_NAME],
                    struct idv_bytes operand, uint16_t offset, uint16_t op);
/* PolicyPCR: bit n of pcrs is PCR n (0 to 23) of the SHA-256 bank; digest is
 * the SHA-256 over their values in ascending order. */
void idvi_policy_pcr(uint8_t p[static IDVI_DIGEST], uint32_t pcrs,
                     const uint8_t digest[static IDVI_DIGEST]);
void idvi_policy_command(uint8_t p[static IDVI_DIGEST], uint32_t command);
void idvi_policy_cphash(uint8_t p[static IDVI_DIGEST],
                        const uint8_t cphash[static IDVI_DIGEST]);
/* PolicySecret by a hierarchy (TPM_RH_), no policyRef. */
void idvi_policy_secret(uint8_t p[static IDVI_DIGEST], uint32_t hierarchy);
/* PolicyAuthorize by the key of that Name (at most 66 bytes), policyRef at most
 * 64 bytes. What p was before does not matter. */
void idvi_policy_authorize(uint8_t p[static IDVI_DIGEST],
                           struct idv_bytes key_name, struct idv_bytes ref);
/* PolicyOR over n (2 to 8) digests. What p was before does not matter. */
void idvi_policy_or(uint8_t p[static IDVI_DIGEST],
                    const uint8_t (*branches)[IDVI_DIGEST], size_t n);

/* --- cpHash of NV_Write by a policy of the index itself --- */

/* name is what the index has at that moment. IDV_E_LIMIT: more than
 * IDVI_NV_DATA_MAX bytes. */
idv_rc idvi_nv_write_cphash(const uint8_t name[static IDVI_NV_NAME],
                            struct idv_bytes data, uint16_t offset,
                            uint8_t out[static IDVI_DIGEST]) IDV_CHECKED;

#endif
