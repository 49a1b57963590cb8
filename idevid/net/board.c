/* SPDX-License-Identifier: Apache-2.0 */
/* Counts in shared memory. Those of origins and clients are count-min
 * sketches: bounded whatever comes, and never too low. */
#include "net/board.h"

#include <netinet/in.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#define ROWS 600     /* 256 workers, each twice while it is replaced */
#define DEPTH 2      /* independent hashes */
#define ORIGINS 2048 /* cells of each */
#define CLIENTS 4096

struct row {
    atomic_int pid; /* 0: free */
    atomic_bool ready;
    atomic_uint live, busy;
    atomic_ushort origin[DEPTH][ORIGINS];
};

struct idv_board {
    uint64_t
        secret[DEPTH]; /* so that nobody can choose who is counted as one */
    atomic_uint workers;
    _Atomic uint64_t client[DEPTH][CLIENTS]; /* minute << 32 | requests */
    struct row row[ROWS];
};

idv_rc idv_board_new(const struct idv_env *env, struct idv_board **out)
{
    struct idv_board *b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (b == MAP_FAILED)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = idv_random(env, (uint8_t *)b->secret, sizeof(b->secret));
    if (rc != IDV_OK) {
        idv_board_free(b);
        return rc;
    }
    *out = b;
    return IDV_OK;
}

void idv_board_free(struct idv_board *b)
{
    if (b)
        munmap(b, sizeof(*b));
}

void idv_board_sum(const struct idv_board *b, struct idv_board_sum *out)
{
    *out = (struct idv_board_sum){.workers = atomic_load(&b->workers)};
    for (size_t i = 0; i < ROWS; i++) {
        const struct row *r = &b->row[i];
        if (!atomic_load(&r->pid))
            continue;
        out->ready += atomic_load(&r->ready);
        out->connections += atomic_load(&r->live);
        out->busy += atomic_load(&r->busy);
    }
    if (out->ready > out->workers) /* some are being replaced */
        out->ready = out->workers;
}

void idvi_board_expect(struct idv_board *b, unsigned workers)
{
    atomic_store(&b->workers, workers);
}

/* --- rows ----------------------------------------------------------------- */

static void wipe(struct row *r)
{
    atomic_store(&r->ready, false);
    atomic_store(&r->live, 0);
    atomic_store(&r->busy, 0);
    for (size_t d = 0; d < DEPTH; d++) {
        for (size_t i = 0; i < ORIGINS; i++)
            atomic_store_explicit(&r->origin[d][i], 0, memory_order_relaxed);
    }
}

int idvi_board_enter(struct idv_board *b, int pid)
{
    for (int i = 0; i < ROWS; i++) {
        int nobody = 0;
        if (atomic_compare_exchange_strong(&b->row[i].pid, &nobody, pid))
            return i;
    }
    return -1;
}

void idvi_board_leave(struct idv_board *b, int pid)
{
    for (int i = 0; i < ROWS; i++) {
        if (atomic_load(&b->row[i].pid) != pid)
            continue;
        wipe(&b->row[i]);
        atomic_store(&b->row[i].pid, 0);
    }
}

void idvi_board_ready(struct idv_board *b, int row)
{
    if (row >= 0)
        atomic_store(&b->row[row].ready, true);
}

void idvi_board_live(struct idv_board *b, int row, unsigned connections)
{
    if (row >= 0)
        atomic_store(&b->row[row].live, connections);
}

void idvi_board_busy(struct idv_board *b, int row, unsigned requests)
{
    if (row >= 0)
        atomic_store(&b->row[row].busy, requests);
}

/* --- origins -------------------------------------------------------------- */

uint64_t idvi_board_origin(const struct sockaddr *a)
{
    uint64_t whole[2] = {0};
    uint32_t four = 0;
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)a;
        return (uint64_t)in->sin_addr.s_addr | 1ull << 32;
    }
    if (a->sa_family != AF_INET6)
        return 0;
    const struct sockaddr_in6 *in6 = (const void *)a;
    memcpy(whole, &in6->sin6_addr, sizeof(whole));
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
        memcpy(&four, (const uint8_t *)whole + 12, sizeof(four));
        return (uint64_t)four | 1ull << 32;
    }
    return IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr)
               ? whole[1] * 0x9e3779b97f4a7c15ull + in6->sin6_scope_id
               : whole[0];
}

static size_t cell(const struct idv_board *b, size_t depth, uint64_t what,
                   size_t cells)
{
    uint64_t x = what ^ b->secret[depth];
    x = (x ^ x >> 33) * 0xff51afd7ed558ccdull;
    x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53ull;
    return (size_t)((x ^ x >> 33) % cells);
}

static unsigned over_rows(const struct idv_board *b, size_t depth, size_t i)
{
    unsigned n = 0;
    for (size_t r = 0; r < ROWS; r++) {
        if (atomic_load_explicit(&b->row[r].pid, memory_order_relaxed))
            n += atomic_load_explicit(&b->row[r].origin[depth][i],
                                      memory_order_relaxed);
    }
    return n;
}

unsigned idvi_board_add(struct idv_board *b, int row, uint64_t origin)
{
    unsigned least = UINT32_MAX;
    if (row < 0)
        return 1;
    for (size_t d = 0; d < DEPTH; d++) {
        size_t i = cell(b, d, origin, ORIGINS);
        atomic_fetch_add(&b->row[row].origin[d][i], 1);
        unsigned n = over_rows(b, d, i);
        least = n < least ? n : least;
    }
    return least;
}

void idvi_board_remove(struct idv_board *b, int row, uint64_t origin)
{
    for (size_t d = 0; d < DEPTH && row >= 0; d++)
        atomic_fetch_sub(&b->row[row].origin[d][cell(b, d, origin, ORIGINS)],
                         1);
}

/* --- clients -------------------------------------------------------------- */

/* one more in this minute; a new minute begins at one */
static unsigned tick(_Atomic uint64_t *at, uint32_t minute)
{
    uint64_t was = atomic_load(at), is;
    do {
        is = (uint32_t)(was >> 32) == minute ? was + 1
                                             : (uint64_t)minute << 32 | 1;
    } while (!atomic_compare_exchange_weak(at, &was, is));
    return (uint32_t)is;
}

unsigned idvi_board_asked(struct idv_board *b, const uint8_t client[32],
                          int64_t now_ms)
{
    uint64_t what;
    unsigned least = UINT32_MAX;
    memcpy(&what, client, sizeof(what));
    for (size_t d = 0; d < DEPTH; d++) {
        unsigned n = tick(&b->client[d][cell(b, d, what, CLIENTS)],
                          (uint32_t)(now_ms / 60000));
        least = n < least ? n : least;
    }
    return least;
}
