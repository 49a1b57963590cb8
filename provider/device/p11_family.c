/* SPDX-License-Identifier: Apache-2.0 */
/* Modules that take no notice of a fork, and have one TPM session for a process
 * and all that it forks: whoever uses it leaves the others out of step. What
 * these sent then would count as wrong authorizations, up to the TPM's lockout;
 * so they are stopped before. */
#include <string.h>
#include <sys/mman.h>

#include "provider/device/p11.h"

static const char *const descriptions[] = {"TPM2.0 Cryptoki"}; /* tpm2-pkcs11 */

struct p11_family { /* in a page that forks share */
    atomic_uint used;
};

static bool is_such(const struct p11_module *m)
{
    size_t i;

    for (i = 0; i < sizeof(descriptions) / sizeof(descriptions[0]); i++)
        if (strcmp(m->description, descriptions[i]) == 0)
            return true;
    return false;
}

void p11_family_found(struct p11_module *m, bool fresh)
{
    struct p11_family *shared;

    if (!is_such(m) || (m->family != NULL && !fresh))
        return;
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (m->family != NULL)
        munmap(m->family, sizeof(*m->family));
    m->family = shared != MAP_FAILED ? shared : NULL;
    m->in_step = 0;
}

int p11_family_use(struct p11_module *m)
{
    unsigned at;
    bool ok;

    if (m->family == NULL)
        return 1;
    pthread_mutex_lock(&m->family_lock);
    at = m->in_step;
    ok = atomic_compare_exchange_strong(&m->family->used, &at, at + 1);
    if (ok)
        m->in_step++;
    pthread_mutex_unlock(&m->family_lock);
    return ok ||
           hwk_raise(HWK_R_UNSUPPORTED,
                     "%s has one TPM session for all processes of a fork, "
                     "and another has used it since: see hwkey-provider(7)",
                     m->path);
}
