/* SPDX-License-Identifier: Apache-2.0 */
/* Many full TLS handshakes with one server, several at once: each must show
 * the certificate wanted and be answered with something. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#define THREADS 32

static const char usage[] =
    "usage: handshakes [-2 | -3] [-n NUMBER] [-j AT_ONCE] [-k CLIENT_PEM]\n"
    "                  ADDRESS CERTIFICATE\n"
    "\n"
    "NUMBER full handshakes (TLS 1.3, with -2 TLS 1.2) with the server at\n"
    "ADDRESS, a unix socket or HOST:PORT, each followed by a GET. CERTIFICATE\n"
    "is the file with the one that it must have. Ends with 0 when all went\n"
    "well; says on standard error why the first did not.\n";

struct plan {
    SSL_CTX *ctx;
    X509 *cert;
    const char *address;
    atomic_int left, failed;
};

static BIO *connected(const char *address)
{
    BIO_ADDR *to = BIO_ADDR_new();
    int fd = -1;
    BIO *bio;

    if (*address != '/') {
        BIO_ADDR_free(to);
        return BIO_new_connect(address);
    }
    if (to != NULL &&
        BIO_ADDR_rawmake(to, AF_UNIX, address, strlen(address), 0))
        fd = BIO_socket(AF_UNIX, SOCK_STREAM, 0, 0);
    if (fd >= 0 && !BIO_connect(fd, to, 0)) {
        close(fd);
        fd = -1;
    }
    BIO_ADDR_free(to);
    bio = fd >= 0 ? BIO_new_socket(fd, BIO_CLOSE) : NULL;
    return bio;
}

static int talk(struct plan *p, SSL *ssl)
{
    static const char get[] = "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n";
    X509 *peer;
    char c;
    int same;

    if (SSL_connect(ssl) != 1)
        return 0;
    peer = SSL_get1_peer_certificate(ssl);
    same = peer != NULL && X509_cmp(peer, p->cert) == 0;
    X509_free(peer);
    if (!same)
        fprintf(stderr, "handshakes: not the certificate wanted\n");
    return same && SSL_write(ssl, get, sizeof(get) - 1) > 0 &&
           SSL_read(ssl, &c, 1) == 1;
}

static int one(struct plan *p)
{
    SSL *ssl = SSL_new(p->ctx);
    BIO *bio = connected(p->address);
    int ok = 0;

    if (ssl != NULL && bio != NULL) {
        SSL_set_bio(ssl, bio, bio);
        ok = talk(p, ssl);
        SSL_shutdown(ssl);
    } else {
        BIO_free(bio);
    }
    SSL_free(ssl);
    return ok;
}

static void *work(void *arg)
{
    struct plan *p = arg;

    while (atomic_fetch_sub(&p->left, 1) > 0) {
        ERR_clear_error();
        if (!one(p) && atomic_fetch_add(&p->failed, 1) == 0)
            ERR_print_errors_fp(stderr);
    }
    return NULL;
}

static int run(struct plan *p, int n, int at_once)
{
    pthread_t thread[THREADS];
    int i, started;

    atomic_store(&p->left, n);
    for (started = 0; started < at_once && started < THREADS; started++)
        if (pthread_create(&thread[started], NULL, work, p) != 0)
            break;
    for (i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    n -= started == 0 ? n : 0;
    printf("%d handshakes, %d failed\n", n, atomic_load(&p->failed));
    return started > 0 && atomic_load(&p->failed) == 0;
}

static SSL_CTX *context(int version, const char *client)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, version) ||
        !SSL_CTX_set_max_proto_version(ctx, version))
        return NULL;
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    if (client != NULL &&
        (SSL_CTX_use_certificate_chain_file(ctx, client) != 1 ||
         SSL_CTX_use_PrivateKey_file(ctx, client, SSL_FILETYPE_PEM) != 1))
        return NULL;
    return ctx;
}

static X509 *certificate(const char *file)
{
    BIO *in = BIO_new_file(file, "r");
    X509 *cert = in != NULL ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;

    BIO_free(in);
    return cert;
}

int main(int argc, char **argv)
{
    struct plan p = {.ctx = NULL};
    int c, n = 1, at_once = 1, version = TLS1_3_VERSION, ok;
    const char *client = NULL;

    while ((c = getopt(argc, argv, "23n:j:k:")) != -1) {
        switch (c) {
        case '2':
            version = TLS1_2_VERSION;
            break;
        case '3':
            version = TLS1_3_VERSION;
            break;
        case 'n':
            n = atoi(optarg);
            break;
        case 'j':
            at_once = atoi(optarg);
            break;
        case 'k':
            client = optarg;
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (argc - optind != 2) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    alarm(120);
    p.address = argv[optind];
    p.cert = certificate(argv[optind + 1]);
    p.ctx = context(version, client);
    if (p.cert == NULL || p.ctx == NULL) {
        ERR_print_errors_fp(stderr);
        return 2;
    }
    ok = run(&p, n, at_once);
    X509_free(p.cert);
    SSL_CTX_free(p.ctx);
    return !ok;
}
