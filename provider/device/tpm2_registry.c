/* SPDX-License-Identifier: Apache-2.0 */
/* The lock file of a TPM as the list of what is loaded in it by whom. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <tss2/tss2_common.h>
#include <tss2/tss2_tpm2_types.h>

#include "provider/device/tpm2_registry.h"
#include "provider/err.h"

#define MAGIC "HWKTPM\1\n"
#define OWNERS_AT                                                              \
    0x10000 /* the bytes that stand for owners, behind the file                \
             */
#define OWNERS_MAX 0x10000

/* as it is in the file, of this machine's byte order */
struct file {
    char magic[8];
    uint64_t id;
    uint32_t mark, n, unused, sum; /* sum over all with this 0 */
    struct hwk_tpm_record at[HWK_TPM_RECORDS];
};
_Static_assert(sizeof(struct file) == 32 + 16 * HWK_TPM_RECORDS,
               "no padding that nobody writes");

static int failed(const char *what)
{
    return hwk_raise(HWK_R_FILE, "lock file of the TPM: %s: %s", what,
                     strerror(errno));
}

/* FNV-1a: for accidents, not against anybody */
static uint32_t sum_of(const struct file *f)
{
    const uint8_t *p = (const uint8_t *)f;
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < sizeof(*f); i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

static bool is_sound(struct file *f)
{
    uint32_t sum = f->sum;
    f->sum = 0;
    if (memcmp(f->magic, MAGIC, sizeof(f->magic)) != 0 || sum_of(f) != sum ||
        f->n > HWK_TPM_RECORDS || f->mark > 1 || f->id == 0)
        return false;
    for (size_t i = 0; i < f->n; i++)
        if (f->at[i].handle >> 24 != TPM2_HT_TRANSIENT || f->at[i].owner == 0)
            return false;
    return true;
}

int hwk_tpm_registry_read(int fd, struct hwk_tpm_registry *out)
{
    struct file f;
    char more;
    memset(out, 0, sizeof(*out));
    ssize_t n = pread(fd, &f, sizeof(f), 0);
    if (n == 0)
        return 1; /* new */
    if (n < 0)
        return failed("read");
    if (n != sizeof(f) || pread(fd, &more, 1, sizeof(f)) != 0 ||
        !is_sound(&f)) {
        out->mark = true;
        return 1;
    }
    out->mark = f.mark;
    out->id = f.id;
    out->n = f.n;
    memcpy(out->at, f.at, f.n * sizeof(f.at[0]));
    return 1;
}

int hwk_tpm_registry_write(int fd, struct hwk_tpm_registry *reg)
{
    if (reg->id == 0 && (reg->id = hwk_tpm_cookie()) == 0)
        return 0;
    struct file f = {.magic = MAGIC,
                     .id = reg->id,
                     .mark = reg->mark,
                     .n = (uint32_t)reg->n};
    memcpy(f.at, reg->at, reg->n * sizeof(f.at[0]));
    f.sum = sum_of(&f);
    if (pwrite(fd, &f, sizeof(f), 0) != sizeof(f))
        return failed("write");
    return ftruncate(fd, sizeof(f)) == 0 ? 1 : failed("size");
}

bool hwk_tpm_registry_add(struct hwk_tpm_registry *reg,
                          const struct hwk_tpm_record *record)
{
    if (reg->n == HWK_TPM_RECORDS)
        return false;
    reg->at[reg->n++] = *record;
    return true;
}

void hwk_tpm_registry_strike(struct hwk_tpm_registry *reg, size_t i)
{
    memmove(&reg->at[i], &reg->at[i + 1], (--reg->n - i) * sizeof(reg->at[0]));
}

size_t hwk_tpm_registry_cookie(const struct hwk_tpm_registry *reg,
                               uint64_t cookie)
{
    size_t i = 0;
    while (i < reg->n && reg->at[i].cookie != cookie)
        i++;
    return i;
}

size_t hwk_tpm_registry_handle(const struct hwk_tpm_registry *reg,
                               uint32_t handle)
{
    size_t i = 0;
    while (i < reg->n && reg->at[i].handle != handle)
        i++;
    return i;
}

/* --- owners --- */

static struct flock byte_of(uint32_t owner)
{
    return (struct flock){.l_type = F_WRLCK,
                          .l_whence = SEEK_SET,
                          .l_start = OWNERS_AT + (off_t)owner,
                          .l_len = 1};
}

static bool has_records(const struct hwk_tpm_registry *reg, uint32_t owner)
{
    for (size_t i = 0; i < reg->n; i++)
        if (reg->at[i].owner == owner)
            return true;
    return false;
}

uint32_t hwk_tpm_owner_new(int fd, const struct hwk_tpm_registry *reg)
{
    for (uint32_t owner = 1; owner < OWNERS_MAX; owner++) {
        struct flock lock = byte_of(owner);
        if (has_records(reg, owner))
            continue;
        if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
            return owner;
        if (errno != EAGAIN && errno != EACCES)
            break;
    }
    failed("lock");
    return 0;
}

bool hwk_tpm_owner_lives(int fd, uint32_t owner)
{
    struct flock lock = byte_of(owner);
    return fcntl(fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

uint64_t hwk_tpm_cookie(void)
{
    uint64_t cookie = 0;
    while (cookie == 0)
        if (getrandom(&cookie, sizeof(cookie), 0) != sizeof(cookie) &&
            errno != EINTR) {
            failed("getrandom");
            return 0;
        }
    return cookie;
}
