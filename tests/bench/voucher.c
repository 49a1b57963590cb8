/* SPDX-License-Identifier: Apache-2.0 */
/* The voucher part of a join with a software key: from the connection to the
 * imprint, for callgrind to count. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/drive.h>
#include <idevid/pledge.h>

#include "tests/bench/bench.h"
#include "tests/lib/anchor_mem.h"

static volatile int imprinted;

static void progress(void *arg, const char *event, const char *detail)
{
    (void)arg;
    (void)detail;
    if (strcmp(event, "imprinted") == 0)
        imprinted = 1;
}

static idv_rc no_key(void *arg, enum idv_key_type type, EVP_PKEY **key,
                     char uri[static 512])
{
    (void)arg;
    (void)type;
    (void)key;
    (void)uri;
    return idv_fail(IDV_E_STATE, "this join ends at the imprint");
}

static idv_rc join(const struct idv_pledge_conf *conf,
                   const struct idv_env *env)
{
    struct idv_pledge *p = NULL;
    const struct idv_drive_conf drive = {.env = env, .stop = &imprinted};
    IDV_TRY(idv_pledge_new(conf, env, &p));
    struct idv_machine m = idv_pledge_join(p);
    idv_rc rc = idv_drive(&m, &drive);
    idv_pledge_free(p);
    if (!imprinted)
        return rc == IDV_OK ? IDV_E_STATE : rc;
    idv_note_clear();
    return IDV_OK;
}

/* in: HOST:PORT, key, chain and maker's anchors (files), state directory */
static idv_rc run(char **in, const struct idv_env *env)
{
    IDV_AUTO_PTR(EVP_PKEY) key = NULL;
    IDV_AUTO_PTR(idv_certs) chain = NULL;
    IDV_AUTO_PTR(idv_certs) anchors = NULL;
    struct anchor_mem memory = {0};
    struct idv_trust_conf tc = {
        .dir = in[4], .anchor = anchor_mem(&memory), .env = env};
    const char *const registrars[] = {in[0], NULL};
    IDV_TRY(idv_key_open(in[1], NULL, &key));
    IDV_TRY(idv_certs_open(in[2], NULL, &chain));
    IDV_TRY(idv_certs_open(in[3], NULL, &anchors));
    struct idv_pledge_conf conf = {.idevid_key = key,
                                   .idevid_chain = chain,
                                   .policy = {.maker_anchors = anchors},
                                   .registrars = registrars,
                                   .make_key = no_key,
                                   .progress = progress,
                                   .attempts = 1};
    IDV_TRY(idv_trust_open(&tc, &conf.trust));
    idv_rc rc = join(&conf, env);
    idv_trust_close(conf.trust);
    return rc;
}

int bench_voucher(char **in)
{
    struct idv_env_system env;
    idv_env_system_init(&env, "bench");
    env.level = IDV_LOG_ERROR;
    if (run(in, &env.env) == IDV_OK)
        return 1;
    return bench_fail(idv_note());
}
