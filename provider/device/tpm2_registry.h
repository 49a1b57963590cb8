/* SPDX-License-Identifier: Apache-2.0 */
/* The lock file of a TPM as the list of what is loaded in it by whom. */
#ifndef HWK_TPM2_REGISTRY_H
#define HWK_TPM2_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Without a resource manager the few slots of a TPM are everybody's. A key
 * that stays loaded between two turns (tpm2_lock.h) has a record in the lock
 * file: where it is, whose it is, and a number that was never used before, by
 * which its owner sees that the record is still the one it wrote.
 *
 * An owner is a number; as long as it lives it holds a lock on the byte of the
 * file that stands for it (of the open file description, so that neither
 * threads nor other descriptors of the process release it, and containers that
 * see each other's file but not their processes can tell). The kernel lets go
 * of it however the owner ends.
 *
 * The mark says that a turn is about to leave in the TPM what has no record
 * yet: who finds it set takes the turn of one that died in the middle, and
 * nothing without a record belongs to anybody.
 *
 * The file is written whole, by one system call. Bytes that are not what is
 * written here are not trusted: they count as a mark, without a record. Should
 * the file be emptied or replaced, the list that is begun then has another id,
 * and an owner that knew the old one sets the mark.
 *
 * The functions here are called by who has the turn, with its descriptor.
 */
#define HWK_TPM_RECORDS 64

struct hwk_tpm_record {
    uint32_t handle, owner;
    uint64_t cookie;
};

struct hwk_tpm_registry {
    bool mark;
    uint64_t id; /* of the list since it was begun; 0: not written yet */
    size_t n;
    struct hwk_tpm_record at[HWK_TPM_RECORDS]; /* oldest first */
};

/* 1, or 0 with HWK_R_FILE. The first to write gives the list its id. */
int hwk_tpm_registry_read(int fd, struct hwk_tpm_registry *out);
int hwk_tpm_registry_write(int fd, struct hwk_tpm_registry *reg);

/* In memory only. add: false when it is full. */
bool hwk_tpm_registry_add(struct hwk_tpm_registry *reg,
                          const struct hwk_tpm_record *record);
void hwk_tpm_registry_strike(struct hwk_tpm_registry *reg, size_t i);
/* The record with that cookie, or with that handle; n when there is none. */
size_t hwk_tpm_registry_cookie(const struct hwk_tpm_registry *reg,
                               uint64_t cookie);
size_t hwk_tpm_registry_handle(const struct hwk_tpm_registry *reg,
                               uint32_t handle);

/* An owner's number that nobody has, from 1; fd is what must stay open as long
 * as it is to live. 0 with HWK_R_FILE. */
uint32_t hwk_tpm_owner_new(int fd, const struct hwk_tpm_registry *reg);
/* Whether another open file than fd holds it; true when that is not known. */
bool hwk_tpm_owner_lives(int fd, uint32_t owner);

/* A number that nobody used before; 0 with HWK_R_FILE. */
uint64_t hwk_tpm_cookie(void);

#endif
