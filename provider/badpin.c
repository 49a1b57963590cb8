/* SPDX-License-Identifier: Apache-2.0 */
/* Refused PINs in a page that a process shares with what it forks: workers of
 * one server together must not use up the tries that a token gives. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include <openssl/crypto.h>

#include "provider/badpin.h"

#define BADPINS 48

struct entry { /* written by one, complete when set says so: a process may be
                  killed at any time, so there are no locks */
    atomic_bool set;
    uint64_t device;
    size_t n;
    char p[HWK_PIN_MAX];
};

struct table {
    atomic_uint next;
    struct entry e[BADPINS];
};

static struct table alone; /* without shared memory */
static struct table *table = &alone;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void share(void)
{
    struct table *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED)
        return;
    /* a PIN that is wrong here may be right elsewhere */
    madvise(shared, sizeof(*shared), MADV_DONTDUMP);
    table = shared;
}

void hwk_badpin_share(void)
{
    pthread_once(&once, share);
}

bool hwk_badpin_known(uint64_t device, const struct hwk_secret *pin)
{
    size_t i;

    for (i = 0; i < BADPINS; i++) {
        const struct entry *e = &table->e[i];

        if (atomic_load(&e->set) && e->device == device && e->n == pin->n &&
            CRYPTO_memcmp(e->p, pin->p, pin->n) == 0)
            return true;
    }
    return false;
}

void hwk_badpin_add(uint64_t device, const struct hwk_secret *pin)
{
    struct entry *e;

    if (hwk_badpin_known(device, pin))
        return;
    mlock(table, sizeof(*table));
    e = &table->e[atomic_fetch_add(&table->next, 1) % BADPINS];
    atomic_store(&e->set, false);
    e->device = device;
    e->n = pin->n;
    memcpy(e->p, pin->p, pin->n);
    atomic_store(&e->set, true);
}
