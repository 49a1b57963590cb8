/* SPDX-License-Identifier: Apache-2.0 */
/* The offers that stand. */
#include "net/book.h"

#include <string.h>

static bool same(const struct idv_offer *a, const struct idv_offer *b)
{
    return a->origin == b->origin && a->port == b->port &&
           strcmp(a->host, b->host) == 0;
}

static void remove_at(struct idvi_book *b, size_t i)
{
    struct idv_offer gone = b->at[i].offer;
    gone.gone = true;
    memmove(&b->at[i], &b->at[i + 1], (b->n - i - 1) * sizeof(*b->at));
    b->n--;
    b->tell(b->arg, &gone);
}

static void make_room(struct idvi_book *b, enum idv_origin origin)
{
    size_t n = 0, oldest = 0;
    for (size_t i = 0; i < b->n; i++) {
        if (b->at[i].offer.origin != origin)
            continue;
        if (n++ == 0 || b->at[i].heard < b->at[oldest].heard)
            oldest = i;
    }
    if (n == IDVI_BOOK_ORIGIN)
        remove_at(b, oldest);
}

static struct idvi_entry *find(struct idvi_book *b,
                               const struct idv_offer *offer)
{
    for (size_t i = 0; i < b->n; i++) {
        if (same(&b->at[i].offer, offer))
            return &b->at[i];
    }
    return NULL;
}

void idvi_book_put(struct idvi_book *b, const struct idv_offer *offer,
                   unsigned link, int64_t until_ms)
{
    struct idvi_entry *e = find(b, offer);
    bool news = !e;
    if (news) {
        make_room(b, offer->origin);
        e = &b->at[b->n++];
        e->offer = *offer;
    }
    e->link = link;
    e->until_ms = until_ms;
    e->heard = ++b->count;
    e->seen = true;
    if (news)
        b->tell(b->arg, offer);
}

void idvi_book_begin(struct idvi_book *b, enum idv_origin origin)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->at[i].offer.origin == origin)
            b->at[i].seen = false;
    }
}

void idvi_book_end(struct idvi_book *b, enum idv_origin origin, int64_t now_ms)
{
    for (size_t i = b->n; i-- > 0;) {
        const struct idvi_entry *e = &b->at[i];
        if (e->offer.origin == origin && !e->seen &&
            (now_ms == IDVI_NEVER || e->until_ms <= now_ms))
            remove_at(b, i);
    }
}

void idvi_book_drop_link(struct idvi_book *b, enum idv_origin origin,
                         unsigned link)
{
    for (size_t i = b->n; i-- > 0;) {
        if (b->at[i].offer.origin == origin && b->at[i].link == link)
            remove_at(b, i);
    }
}

int64_t idvi_book_due(const struct idvi_book *b, enum idv_origin origin)
{
    int64_t due = IDVI_NEVER;
    for (size_t i = 0; i < b->n; i++) {
        if (b->at[i].offer.origin == origin && b->at[i].until_ms < due)
            due = b->at[i].until_ms;
    }
    return due;
}
