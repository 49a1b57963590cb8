/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crowd make DIR N
 * crowd vouchers DIR HOST:PORT COUNT THREADS [again] [same]   a connection for
 * each
 * crowd enroll   DIR HOST:PORT COUNT THREADS [keep] [again] [same] [answers]
 * after the vouchers; the requests are made before the clock starts; answers:
 * what came is in DIR/answers
 * crowd masa     DIR HOST:PORT COUNT THREADS [keep]    the domain's registrar
 * at the MASA; its requests are made before the clock starts
 * crowd get      DIR HOST:PORT COUNT THREADS PATH      bare mTLS GET
 * crowd idle | half | slow | invalid | kept DIR HOST:PORT N   until standard
 * input ends; kept: each was served once, all of them when it says "begun"
 *
 * HOST:PORT may be several, with commas between: each connection is to the
 * next. What work was done is printed as one JSON object. again: what got no
 * answer, or 202 or 5xx, is asked again, for two minutes at most; same: with
 * the same request, as devices do.
 */
#include "config.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/est.h>
#include <idevid/x509.h>

#include "tests/lib/crowd.h"

#define THREADS 64
#define KEEP 250 /* requests of a kept connection: no device asks too often */
#define VOUCHER "/.well-known/brski/requestvoucher"
#define CACERTS "/.well-known/est/cacerts"
#define ENROLL "/.well-known/est/simpleenroll"

struct job {
    struct crowd *crowd;
    bool (*work)(struct job *j, unsigned i, struct crowd_conn *conn);
    const char *path;
    unsigned count, threads;
    bool again, same, keep, answers;
    struct idv_buf *csr; /* of each, in base64 */
    atomic_uint next, good, failed, retried, kept;
    atomic_uint status[600];
    double *latency;        /* of the good ones */
    SSL_CTX **ctx;          /* of each device */
    struct idv_buf *sealed; /* of each request */
};

static double clock_now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double now(void)
{
    return clock_now(CLOCK_MONOTONIC);
}

static double cpu_now(void) /* of this process */
{
    return clock_now(CLOCK_PROCESS_CPUTIME_ID);
}

/* --- what a device does --------------------------------------------------- */

static SSL_CTX *ctx_of(struct job *j, unsigned i)
{
    return j->ctx[i % j->crowd->devices];
}

static void count(struct job *j, int status)
{
    j->status[status >= 0 && status < 600 ? status : 0]++;
}

static bool voucher(struct job *j, unsigned i, struct crowd_conn *conn)
{
    IDV_AUTO(buf) reply = {0};
    const struct crowd_device *d = &j->crowd->device[i % j->crowd->devices];
    struct idv_buf *sealed = &j->sealed[i];
    if (!sealed->n)
        crowd_pvr(j->crowd, d, SSL_get0_peer_certificate(conn->ssl), sealed);
    int status = crowd_post(conn, VOUCHER, IDV_MEDIA_VOUCHER_CMS,
                            idv_view(sealed), !j->keep, &reply);
    count(j, status);
    if (status == 200 || !j->same)
        idv_buf_free(sealed);
    return status == 200;
}

/* --- and what its registrar does ------------------------------------------ */

static bool relay(struct job *j, unsigned i, struct crowd_conn *conn)
{
    IDV_AUTO(buf) reply = {0};
    int status = crowd_post(conn, VOUCHER, IDV_MEDIA_VOUCHER_CMS,
                            idv_view(&j->sealed[i]), !j->keep, &reply);
    count(j, status);
    return status == 200;
}

static void make_relayed(struct job *j)
{
    crowd_registrar(j->crowd);
    for (unsigned i = 0; i < j->count; i++)
        crowd_rvr(j->crowd, &j->crowd->device[i % j->crowd->devices],
                  &j->sealed[i]);
}

/* --- a device again ------------------------------------------------------- */

/* each has a signature of its own: none is one that was answered before */
static void make_requests(struct job *j)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *req = X509_REQ_new();
    j->csr = calloc(j->count, sizeof(*j->csr));
    if (!key || !req || !j->csr || X509_REQ_set_pubkey(req, key) != 1)
        crowd_die("csr");
    for (unsigned i = 0; i < j->count; i++) {
        uint8_t *der = NULL;
        int n = X509_REQ_sign(req, key, EVP_sha256()) > 0
                    ? i2d_X509_REQ(req, &der)
                    : 0;
        if (n <= 0)
            crowd_die("csr");
        crowd_must(idv_est_body_from_der(idv_bytes(der, (size_t)n), &j->csr[i]),
                   "csr");
        OPENSSL_free(der);
    }
    X509_REQ_free(req);
    EVP_PKEY_free(key);
}

static bool enroll(struct job *j, unsigned i, struct crowd_conn *conn)
{
    IDV_AUTO(buf) reply = {0};
    int status = crowd_post(conn, ENROLL, "application/pkcs10",
                            idv_view(&j->csr[i]), !j->keep, &reply);
    count(j, status);
    if (status == 200 && j->answers)
        crowd_answered(j->crowd, idv_view(&reply));
    return status == 200;
}

static bool get(struct job *j, unsigned i, struct crowd_conn *conn)
{
    IDV_AUTO(buf) reply = {0};
    (void)i;
    int status =
        crowd_post(conn, j->path, "text/plain", idv_str(""), !j->keep, &reply);
    count(j, status);
    return status == 200;
}

/* --- many of them --------------------------------------------------------- */

static bool once(struct job *j, unsigned i, struct crowd_conn *conn)
{
    bool open = conn->ssl != NULL;
    unsigned who = j->keep && !open ? j->kept++ : i;
    if (!open && !crowd_connect(j->crowd, ctx_of(j, who), conn)) {
        count(j, 0);
        return false;
    }
    bool good = j->work(j, i, conn);
    if (!good || !j->keep || ++conn->requests == KEEP)
        crowd_close(conn);
    return good;
}

/* a moment, so that a service that starts again is not drowned */
static void rest(int ms)
{
    poll(NULL, 0, ms);
}

static void *run(void *job)
{
    struct job *j = job;
    struct crowd_conn conn = {.fd = -1};
    unsigned i;
    while ((i = j->next++) < j->count) {
        double began = now();
        bool good = once(j, i, &conn);
        while (!good && j->again && now() - began < 120) {
            rest(j->same ? 100 : 20);
            j->retried++;
            good = once(j, i, &conn);
        }
        if (good)
            j->latency[j->good++] = now() - began;
        else
            j->failed++;
    }
    crowd_close(&conn);
    return NULL;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void report(struct job *j, double seconds, double cpu)
{
    unsigned n = j->good;
    qsort(j->latency, n, sizeof(*j->latency), by_size);
    printf("{\"good\":%u,\"failed\":%u,\"retried\":%u,\"seconds\":%.3f,"
           "\"rate\":%.1f,\"client_ms\":%.3f,\"p50\":%.2f,\"p99\":%.2f,"
           "\"max\":%.2f",
           n, (unsigned)j->failed, (unsigned)j->retried, seconds, n / seconds,
           n ? cpu * 1e3 / n : 0, n ? j->latency[n / 2] * 1e3 : 0,
           n ? j->latency[n * 99 / 100] * 1e3 : 0,
           n ? j->latency[n - 1] * 1e3 : 0);
    for (unsigned s = 0; s < 600; s++) {
        if (j->status[s])
            printf(",\"%u\":%u", s, (unsigned)j->status[s]);
    }
    printf("}\n");
}

static int run_all(struct job *j)
{
    pthread_t thread[THREADS];
    struct crowd *c = j->crowd;
    j->latency = calloc(j->count, sizeof(*j->latency));
    j->ctx = calloc(c->devices, sizeof(SSL_CTX *));
    j->sealed = calloc(j->count, sizeof(*j->sealed));
    if (!j->latency || !j->ctx || !j->sealed || j->threads > THREADS)
        crowd_die("too many");
    if (j->work == enroll)
        make_requests(j);
    if (j->work == relay)
        make_relayed(j);
    for (unsigned i = 0; i < c->devices; i++)
        j->ctx[i] =
            crowd_ctx(c, j->work == relay ? &c->registrar : &c->device[i]);
    double began = now(), cpu = cpu_now();
    for (unsigned i = 0; i < j->threads; i++) {
        if (pthread_create(&thread[i], NULL, run, j) != 0)
            crowd_die("thread");
    }
    for (unsigned i = 0; i < j->threads; i++)
        pthread_join(thread[i], NULL);
    report(j, now() - began, cpu_now() - cpu);
    for (unsigned i = 0; i < c->devices; i++)
        SSL_CTX_free(j->ctx[i]);
    for (unsigned i = 0; j->csr && i < j->count; i++)
        idv_buf_free(&j->csr[i]);
    free(j->csr);
    free(j->ctx);
    for (unsigned i = 0; i < j->count; i++)
        idv_buf_free(&j->sealed[i]);
    free(j->sealed);
    free(j->latency);
    return j->good == j->count ? 0 : 1;
}

/* --- others --------------------------------------------------------------- */

static atomic_bool over;

struct nuisance {
    struct crowd *crowd;
    const char *what;
    SSL_CTX *ctx;
    unsigned n;
    struct crowd_conn *conn;
};

/* opens the i-th connection anew as far as this nuisance goes */
static void begin(struct nuisance *a, unsigned i)
{
    static const char half[] = "POST " VOUCHER " HTTP/1.1\r\nHost: x\r\n"
                               "Content-Length: 60000\r\n\r\n{";
    struct crowd_conn *conn = &a->conn[i];
    if (strcmp(a->what, "idle") == 0) {
        crowd_tcp(a->crowd, conn);
        return;
    }
    if (strcmp(a->what, "kept") == 0) {
        IDV_AUTO(buf) reply = {0};
        if (crowd_connect(a->crowd, a->ctx, conn) &&
            crowd_post(conn, CACERTS, "text/plain", idv_str(""), false,
                       &reply) != 200)
            crowd_close(conn);
        return;
    }
    if (crowd_connect(a->crowd, a->ctx, conn) &&
        SSL_write(conn->ssl, half, (int)sizeof(half) - 1) <= 0)
        crowd_close(conn);
}

/* closed by the other end? */
static bool is_over(struct crowd_conn *conn)
{
    struct pollfd p = {conn->fd, POLLIN, 0};
    return conn->fd < 0 || (poll(&p, 1, 0) == 1 && p.revents);
}

/* keeps all of them open, whatever the other end does: looks each second */
static void *annoy(void *nuisance)
{
    struct nuisance *a = nuisance;
    while (!over) {
        for (unsigned i = 0; i < a->n && !over; i++) {
            if (is_over(&a->conn[i])) {
                crowd_close(&a->conn[i]);
                begin(a, i);
            } else if (strcmp(a->what, "slow") == 0)
                SSL_write(a->conn[i].ssl, " ", 1);
        }
        for (int k = 0; k < 50 && !over; k++)
            rest(20);
    }
    return NULL;
}

/* a request that does not verify, as fast as it goes */
static void *flood(void *nuisance)
{
    struct nuisance *a = nuisance;
    IDV_AUTO(buf) reply = {0};
    while (!over) {
        struct crowd_conn conn;
        if (!crowd_connect(a->crowd, a->ctx, &conn))
            continue;
        while (!over && crowd_post(&conn, VOUCHER, IDV_MEDIA_VOUCHER_CMS,
                                   idv_str("0123456789"), false, &reply) > 0)
            ;
        crowd_close(&conn);
    }
    return NULL;
}

static int be_nuisance(struct crowd *c, const char *what, unsigned n)
{
    pthread_t thread[4];
    char byte;
    bool floods = strcmp(what, "invalid") == 0;
    bool kept = strcmp(what, "kept") == 0;
    struct nuisance a[4];
    struct crowd_conn *all = calloc(n, sizeof(*all));
    SSL_CTX *ctx = crowd_ctx(c, floods || kept ? &c->device[0] : NULL);
    for (unsigned i = 0; i < n; i++)
        all[i].fd = -1;
    for (unsigned k = 0; k < 4; k++) {
        a[k] = (struct nuisance){c, what, ctx, n / 4, all + k * (n / 4)};
        for (unsigned i = 0; kept && i < a[k].n; i++)
            begin(&a[k], i);
        if (pthread_create(&thread[k], NULL, floods ? flood : annoy, &a[k]))
            crowd_die("thread");
    }
    puts("{\"event\":\"begun\"}");
    fflush(stdout);
    while (read(0, &byte, 1) > 0)
        ;
    over = true;
    for (unsigned k = 0; k < 4; k++)
        pthread_join(thread[k], NULL);
    for (unsigned i = 0; i < n; i++)
        crowd_close(&all[i]);
    free(all);
    SSL_CTX_free(ctx);
    return 0;
}

static bool has(int argc, char **argv, const char *word)
{
    for (int i = 6; i < argc; i++) {
        if (strcmp(argv[i], word) == 0)
            return true;
    }
    return false;
}

int main(int argc, char **argv)
{
    static struct crowd c;
    static struct job j;
    signal(SIGPIPE, SIG_IGN);
    if (argc < 4)
        crowd_die("usage");
    unsigned n = (unsigned)atoi(argv[argc > 4 ? 4 : 3]);
    if (strcmp(argv[1], "make") == 0) {
        crowd_make(argv[2], n);
        return 0;
    }
    crowd_open(&c, argv[2]);
    crowd_where(&c, argv[3]);
    if (argc < 6)
        return be_nuisance(&c, argv[1], n);
    j.crowd = &c;
    j.count = n;
    j.threads = (unsigned)atoi(argv[5]);
    j.again = has(argc, argv, "again");
    j.same = has(argc, argv, "same");
    j.keep = has(argc, argv, "keep");
    j.answers = has(argc, argv, "answers");
    j.path = argv[argc - 1];
    j.work = strcmp(argv[1], "vouchers") == 0 ? voucher
             : strcmp(argv[1], "enroll") == 0 ? enroll
             : strcmp(argv[1], "masa") == 0   ? relay
                                              : get;
    return run_all(&j);
}
