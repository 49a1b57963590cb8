/* SPDX-License-Identifier: Apache-2.0 */
/* A MASA's log with very many entries: leaves a second as they are put into its
 * tree, and what a proof that an entry is in it takes. tree DIRECTORY */
#include "config.h"

#include <stdio.h>

#include <idevid/auto.h>

#include "idevid/db/driver.h"
#include "idevid/db/masa_tree.h"
#include "idevid/masa/masa_call.h"
#include "tests/bench/store.h"

#define SLICE 25600 /* entries of a transaction */
#define PROOFS 2000
#define PROMISE_US 1000

/* --- entries, and leaves of them ------------------------------------------ */

static void add_entries(struct idv_db *db, uint64_t from, uint64_t to)
{
    char sql[512];
    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE g(n) AS (SELECT %llu UNION ALL SELECT n + 1 FROM g"
             " WHERE n + 1 < %llu) INSERT INTO audit_event (device_id, date,"
             " domain_id, nonce, assertion) SELECT 1, n,"
             " 'cEkQt7mpSHgJyBLLXn9WQmzmJOY=', printf('%%032d', n), 2 FROM g",
             (unsigned long long)from, (unsigned long long)to);
    must(db->driver->script(db, sql), "entries");
}

static idv_rc grow(struct idv_db *db)
{
    static uint8_t seed[32];
    for (size_t n = 1; n > 0;) {
        seed[0]++;
        IDV_TRY(idvi_tree_grow(db, seed, &n));
    }
    return IDV_OK;
}

/* leaves a second, their entries' part left out */
static double plant(struct idv_db *db, uint64_t rows)
{
    double seconds = 0;
    for (uint64_t n = 0; n < rows; n += SLICE) {
        add_entries(db, n, n + SLICE < rows ? n + SLICE : rows);
        const double begun = now(CLOCK_MONOTONIC);
        must(idvi_begin(db), "begin");
        must(idvi_end(db, grow(db)), "grow");
        seconds += now(CLOCK_MONOTONIC) - begun;
    }
    return (double)rows / seconds;
}

/* --- proofs --------------------------------------------------------------- */

/* microseconds, as they pass, of one of PROOFS in 100 */
static double prove(struct idv_db *db, uint64_t rows, double *longest)
{
    const struct idv_masa_store store = idv_db_masa_store(db);
    struct idv_masa m = {.conf.store = &store};
    static double us[PROOFS];
    uint64_t at = 1;
    for (int i = 0; i < PROOFS; i++) {
        IDV_AUTO(buf) item = {0};
        at = (at * 6364136223846793005u + 1442695040888963407u);
        const double begun = now(CLOCK_MONOTONIC);
        must(idvi_masa_inclusion(&m, &m.log, (at >> 20) % rows, rows, &item),
             "proof");
        us[i] = (now(CLOCK_MONOTONIC) - begun) * 1e6;
    }
    *longest = part_of(us, PROOFS, 99);
    return median(us, PROOFS);
}

static void measure(const char *dir, uint64_t rows)
{
    struct idv_db *db = NULL;
    double rate, us, longest = 0;
    char path[512];
    snprintf(path, sizeof(path), "%s/tree.db", dir);
    must(idv_db_open(path, &db), "open");
    must(db->driver->script(db, "INSERT INTO device (id, keyid, serial_number,"
                                " maker, owner, cert) VALUES (1, x'00', 'S',"
                                " 'maker', '', x'00')"),
         "device");
    rate = plant(db, rows);
    us = prove(db, rows, &longest);
    printf("\n%-36s %12s %10s %10s %8s\n", "masa: entries in its log",
           "leaves/s", "us a proof", "99 of 100", "promised");
    printf("%-36llu %12.0f %10.1f %10.1f %8d   %s\n", (unsigned long long)rows,
           rate, us, longest, PROMISE_US,
           longest < PROMISE_US ? "met" : "MISSED");
    if (json)
        fprintf(json,
                "{\"name\":\"entries of a MASA's log\",\"rows\":%llu,"
                "\"per_s\":%.0f,\"proof_us\":%.2f,\"proof_us_99\":%.2f}\n",
                (unsigned long long)rows, rate, us, longest);
    idv_db_close(db);
}

int main(int argc, char **argv)
{
    const uint64_t n = rows_asked(200000);
    if (argc != 2 || n < 1000 || n > 1000000000)
        return 2;
    json_open();
    measure(argv[1], n);
    json_close();
    return 0;
}
