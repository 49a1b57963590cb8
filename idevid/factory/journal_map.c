/* SPDX-License-Identifier: Apache-2.0 */
/* A table of hashes by name, open-addressed, half full at most. */
#include "factory/journal_map.h"

#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>

static const uint8_t none[16];

static bool is_free(const struct idvi_slot *s)
{
    return memcmp(s->id, none, sizeof(none)) == 0;
}

static idv_rc id_of(char kind, const char *name, uint8_t id[static 16])
{
    uint8_t hash[32];
    IDV_AUTO_PTR(EVP_MD_CTX) ctx = EVP_MD_CTX_new();
    if (!ctx || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
        EVP_DigestUpdate(ctx, &kind, 1) != 1 ||
        EVP_DigestUpdate(ctx, name, strlen(name)) != 1 ||
        EVP_DigestFinal_ex(ctx, hash, NULL) != 1)
        return idv_fail(IDV_E_CRYPTO, "journal: SHA-256 failed");
    memcpy(id, hash, 16);
    return IDV_OK;
}

/* its slot, or the free one where it belongs */
static struct idvi_slot *place(const struct idvi_map *m,
                               const uint8_t id[static 16])
{
    size_t i;
    memcpy(&i, id, sizeof(i));
    for (i &= m->room - 1;; i = (i + 1) & (m->room - 1)) {
        struct idvi_slot *s = &m->slots[i];
        if (is_free(s) || memcmp(s->id, id, 16) == 0)
            return s;
    }
}

static idv_rc grow(struct idvi_map *m)
{
    struct idvi_map bigger = {.room = m->room ? 2 * m->room : 1024,
                              .used = m->used};
    bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
    if (!bigger.slots)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    for (size_t i = 0; i < m->room; i++) {
        if (!is_free(&m->slots[i]))
            *place(&bigger, m->slots[i].id) = m->slots[i];
    }
    free(m->slots);
    *m = bigger;
    return IDV_OK;
}

idv_rc idvi_map_find(const struct idvi_map *m, char kind, const char *name,
                     struct idvi_slot **out)
{
    uint8_t id[16];
    *out = NULL;
    if (m->used == 0)
        return IDV_OK;
    IDV_TRY(id_of(kind, name, id));
    struct idvi_slot *s = place(m, id);
    *out = is_free(s) ? NULL : s;
    return IDV_OK;
}

idv_rc idvi_map_set(struct idvi_map *m, char kind, const char *name,
                    const uint8_t hash[static 32])
{
    uint8_t id[16];
    IDV_TRY(id_of(kind, name, id));
    if (2 * m->used >= m->room)
        IDV_TRY(grow(m));
    struct idvi_slot *s = place(m, id);
    if (is_free(s)) {
        memcpy(s->id, id, sizeof(id));
        m->used++;
    }
    memcpy(s->hash, hash, 32);
    return IDV_OK;
}

void idvi_map_free(struct idvi_map *m)
{
    free(m->slots);
    *m = (struct idvi_map){0};
}
