/* SPDX-License-Identifier: Apache-2.0 */
/* A pledge over real TLS, and what must hold whatever the other end does. */
#ifndef TESTS_WORST_H
#define TESTS_WORST_H

#include "tests/unit/codec.h"

#include <idevid/drive.h>

#include "tests/lib/badline.h"
#include "tests/lib/fakereg.h"
#include "tests/lib/long.h"
#include "tests/lib/nettest.h"

/* more than a bounded amount of memory */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED                                                              \
    1 /* shadows, what is freed is kept, no forks with threads                 \
       */
#define MOST_KB (1 << 20)
#else
#define SANITIZED 0
#define MOST_KB (32 << 10)
#endif

static struct pki pki;
static struct pki_env pledge_env; /* the pledge's own thread */

/* a device, a good registrar, and the line between them */
struct worst {
    struct fakereg reg;
    struct fakedev dev;
    struct nt_server server;
    struct badline line;
    char where[64];
    const char *registrars[2];
    struct idv_drive_conf conf;
    idv_rc rc;
    char note[IDV_NOTE_MAX];
};

static idv_rc any_server(void *ctx, const STACK_OF(X509) * chain)
{
    (void)ctx, (void)chain;
    return IDV_OK;
}

static idv_rc worst_serve(void *self, struct idv_call *call,
                          struct idv_told *told, enum idv_next *next)
{
    struct worst *w = self;
    (void)told;
    *next = IDV_NEXT_REPLY;
    return fakereg_exchange(&w->reg, &call->req, &call->reply);
}

static void worst_to(struct worst *w, uint16_t port)
{
    snprintf(w->where, sizeof(w->where), "127.0.0.1:%u", port);
}

/* the device alone; the test says where it goes */
static void worst_device(struct worst *w)
{
    memset(w, 0, sizeof(*w));
    pki_env_init(&pledge_env);
    fakereg_init(&w->reg, &pki);
    fakedev_init(&w->dev, &pki);
    w->registrars[0] = w->where;
    w->dev.conf.registrars = w->registrars;
    w->conf = (struct idv_drive_conf){.env = &pledge_env.env,
                                      .connect_s = 20,
                                      .exchange_s = 20,
                                      .stall_s = 20};
}

static inline void worst_init(struct worst *w)
{
    const struct idv_service service = {worst_serve, w};
    worst_device(w);
    nt_server_start(&w->server, &pki, &service);
    worst_to(w, w->server.port);
}

static inline void worst_free(struct worst *w)
{
    if (w->line.port)
        badline_stop(&w->line);
    if (w->server.port)
        nt_server_stop(&w->server);
    fakereg_free(&w->reg);
    fakedev_free(&w->dev);
}
#define WORST(w)                                                               \
    __attribute__((cleanup(worst_free))) struct worst w;                       \
    worst_init(&w)
#define WORST_DEVICE(w)                                                        \
    __attribute__((cleanup(worst_free))) struct worst w;                       \
    worst_device(&w)

/* one start of the program */
static idv_rc worst_join(struct worst *w)
{
    struct idv_pledge *p = NULL;
    fakedev_reopen(&w->dev, &pki);
    w->reg.log[0] = 0;
    /* what is imprinted speaks of more than vouchers at once */
    w->reg.last.verify =
        fakedev_state(&w->dev) == IDV_TRUST_NONE ? NULL : any_server;
    w->dev.conf.trust = w->dev.trust;
    OK(idv_pledge_new(&w->dev.conf, &pledge_env.env, &p));
    struct idv_machine machine = idv_pledge_join(p);
    w->rc = idv_drive(&machine, &w->conf);
    snprintf(w->note, sizeof(w->note), "%s", idv_note());
    w->dev.verdict = idv_pledge_verdict(p);
    idv_pledge_free(p);
    return w->rc;
}

/* Joined or not, never between: nothing, or the right imprint, or all of it,
 * and the same to who looks after a restart. */
static inline void worst_whole(struct worst *w)
{
    const enum idv_trust_state state = fakedev_state(&w->dev);
    fakedev_reopen(&w->dev, &pki);
    assert_int_equal(fakedev_state(&w->dev), state);
    assert_true(state == IDV_TRUST_NONE || state == IDV_TRUST_IMPRINTED ||
                state == IDV_TRUST_ENROLLED);
    if (state == IDV_TRUST_NONE) {
        assert_false(w->dev.anchor.found);
        return;
    }
    assert_true(w->reg.vouchers > 0);
    assert_true(idv_cert_eq(idv_trust_pin(w->dev.trust), w->reg.pin));
}

/* and in the end it is joined */
static inline void worst_joins(struct worst *w)
{
    if (worst_join(w) != IDV_OK)
        print_error("%s: %s\n", w->reg.log, w->note);
    assert_int_equal(w->rc, IDV_OK);
    assert_int_equal(fakedev_state(&w->dev), IDV_TRUST_ENROLLED);
    worst_whole(w);
}

/* never stuck: the whole program has this long */
static inline int worst_setup(void **state)
{
    const char *times = getenv("IDEVID_PATIENCE");
    (void)state;
    alarm((long_run() ? 7200 : 600) *
          (unsigned)(times && *times ? atoi(times) : 1));
    pki_make(&pki);
    return 0;
}

static inline int worst_teardown(void **state)
{
    (void)state;
    pki_free(&pki);
    return 0;
}

#endif
