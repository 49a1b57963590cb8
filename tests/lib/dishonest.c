/* SPDX-License-Identifier: Apache-2.0 */
/* dishonest: a registrar that answers with the voucher it is given, whatever was
 * asked: what a dishonest one could do. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/key.h>
#include <idevid/pledge.h>

#include "idevid/net/server.h"

struct fake {
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
    struct idv_buf voucher;
    const char *status_file; /* bodies of voucher_status are kept here */
};

static idv_rc serve(void *self, struct idv_call *call, struct idv_told *told,
                    enum idv_next *next)
{
    struct fake *f = self;
    (void)told;
    *next = IDV_NEXT_REPLY;
    if (strcmp(call->req.path, IDV_PATH_REQUESTVOUCHER) == 0)
        return idv_msg_reply(&call->reply, 200, IDV_MEDIA_VOUCHER_CMS,
                             idv_view(&f->voucher));
    if (strcmp(call->req.path, IDV_PATH_VOUCHER_STATUS) == 0) {
        if (f->status_file)
            IDV_TRY(
                idv_fs_append(f->status_file, idv_view(&call->req.body), 0600));
        return idv_msg_reply(&call->reply, 200, "", idv_bytes(NULL, 0));
    }
    return idv_msg_refuse(&call->reply, 404, "nothing else here");
}

static idv_rc make(void *arg, struct idv_server_worker *worker)
{
    struct fake *f = arg;
    *worker = (struct idv_server_worker){
        .key = f->key, .chain = f->chain, .service = {serve, f}};
    return IDV_OK;
}

static void ready(void *arg, const struct idv_server_bound *bound, size_t n)
{
    (void)arg;
    if (n)
        printf("{\"event\":\"listening\",\"port\":%u}\n", bound[0].port);
    fflush(stdout);
}

static idv_rc run(char **argv)
{
    struct idv_env_system sys;
    struct fake f = {.status_file = argv[4]};
    static const char *const any[] = {"127.0.0.1:0", NULL};
    idv_env_system_init(&sys, "dishonest");
    IDV_TRY(idv_key_open(argv[1], NULL, &f.key));
    IDV_TRY(idv_certs_open(argv[2], NULL, &f.chain));
    IDV_TRY(idv_fs_read(argv[3], 0, &f.voucher));
    struct idv_server_conf conf = {.name = "dishonest",
                                   .env = &sys.env,
                                   .listen = any,
                                   .ask_client_cert = true,
                                   .workers = 1,
                                   .make = make,
                                   .ready = ready,
                                   .arg = &f};
    idv_rc rc = idv_server_run(&conf);
    EVP_PKEY_free(f.key);
    idv_certs_free(f.chain);
    idv_buf_free(&f.voucher);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: dishonest KEY CHAIN VOUCHER [STATUS-FILE]\n");
        return 2;
    }
    idv_rc rc = run(argv);
    if (rc != IDV_OK)
        fprintf(stderr, "dishonest: %s\n", idv_note());
    return rc == IDV_OK ? 0 : 1;
}
