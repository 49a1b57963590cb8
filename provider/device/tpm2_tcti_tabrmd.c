/* SPDX-License-Identifier: Apache-2.0 */
/* The way to a TPM behind tpm2-abrmd, without GLib. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <tss2/tss2_tpm2_types.h>

#include "provider/device/tpm2_tcti_bus.h"
#include "provider/device/tpm2_tcti_tabrmd.h"
#include "provider/err.h"

#define MAGIC 0x68776b7461627264ull
#define HEADER 10
#define NAME_MAX_HERE 256 /* of a name on a bus, and its end */

struct tabrmd {
    TSS2_TCTI_CONTEXT_COMMON_V2 common; /* first */
    int fd;
    bool pending;
    size_t got; /* bytes of the answer so far */
    uint8_t answer[TPM2_MAX_RESPONSE_SIZE];
};

/* --- what it is called --- */

struct manager {
    bool session;
    char service[NAME_MAX_HERE];
};

/* what is after "tabrmd:" or the like, NULL when it is another TCTI */
static const char *options_of(const char *name)
{
    static const char *const names[] = {"tabrmd", "libtss2-tcti-tabrmd.so",
                                        "libtss2-tcti-tabrmd.so.0"};
    size_t n = strcspn(name, ":");
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strlen(names[i]) == n && memcmp(name, names[i], n) == 0)
            return name + n + (name[n] == ':');
    return NULL;
}

static bool option(struct manager *m, const char *p, size_t n)
{
    static const char type[] = "bus_type=", service[] = "bus_name=";
    const size_t head = sizeof(type) - 1;
    if (n <= head)
        return false;
    if (memcmp(p, service, head) == 0) {
        snprintf(m->service, sizeof(m->service), "%.*s", (int)(n - head),
                 p + head);
        return n - head < sizeof(m->service);
    }
    m->session = n - head == 7 && memcmp(p + head, "session", 7) == 0;
    return memcmp(p, type, head) == 0 &&
           (m->session ||
            (n - head == 6 && memcmp(p + head, "system", 6) == 0));
}

static bool parse(const char *name, struct manager *m)
{
    const char *p = options_of(name);
    *m = (struct manager){.service = "com.intel.tss2.Tabrmd"};
    while (p && *p) {
        size_t n = strcspn(p, ",");
        if (!option(m, p, n))
            return false;
        p += n + (p[n] == ',');
    }
    return p;
}

bool hwk_tpm_tabrmd_is(const char *name)
{
    struct manager m;
    return parse(name, &m) && hwk_bus_plain(m.session);
}

/* --- commands and answers --- */

static struct tabrmd *of(TSS2_TCTI_CONTEXT *ctx)
{
    return (struct tabrmd *)ctx;
}

static TSS2_RC transmit(TSS2_TCTI_CONTEXT *ctx, size_t n, const uint8_t *p)
{
    struct tabrmd *t = of(ctx);
    if (t->pending)
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    while (n) {
        ssize_t k = send(t->fd, p, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return TSS2_TCTI_RC_IO_ERROR;
        p += k;
        n -= (size_t)k;
    }
    t->pending = true;
    t->got = 0;
    return TSS2_RC_SUCCESS;
}

/* how long the answer is: of its header, or what its header says; 0: nonsense
 */
static size_t wanted(const struct tabrmd *t)
{
    const uint8_t *p = t->answer;
    if (t->got < HEADER)
        return HEADER;
    size_t n =
        (size_t)p[2] << 24 | (size_t)p[3] << 16 | (size_t)p[4] << 8 | p[5];
    return n >= HEADER && n <= sizeof(t->answer) ? n : 0;
}

static TSS2_RC fill(struct tabrmd *t, int32_t timeout)
{
    size_t want;
    while ((want = wanted(t)) > t->got) {
        struct pollfd p = {.fd = t->fd, .events = POLLIN};
        int ready = poll(&p, 1, timeout);
        if (ready == 0)
            return TSS2_TCTI_RC_TRY_AGAIN;
        ssize_t k =
            ready < 0 ? -1 : recv(t->fd, t->answer + t->got, want - t->got, 0);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return TSS2_TCTI_RC_IO_ERROR;
        t->got += (size_t)k;
    }
    return want ? TSS2_RC_SUCCESS : (TSS2_RC)TSS2_TCTI_RC_MALFORMED_RESPONSE;
}

static TSS2_RC receive(TSS2_TCTI_CONTEXT *ctx, size_t *n, uint8_t *p,
                       int32_t timeout)
{
    struct tabrmd *t = of(ctx);
    if (!t->pending)
        return TSS2_TCTI_RC_BAD_SEQUENCE;
    TSS2_RC rc = fill(t, timeout);
    if (rc != TSS2_RC_SUCCESS)
        return rc;
    size_t room = *n;
    *n = t->got;
    if (!p)
        return TSS2_RC_SUCCESS;
    if (room < t->got)
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    memcpy(p, t->answer, t->got);
    OPENSSL_cleanse(t->answer, t->got);
    t->pending = false;
    return TSS2_RC_SUCCESS;
}

/* what to look at to see that the manager has gone */
static TSS2_RC poll_handles(TSS2_TCTI_CONTEXT *ctx,
                            TSS2_TCTI_POLL_HANDLE *handles, size_t *n)
{
    if (!n)
        return TSS2_TCTI_RC_BAD_REFERENCE;
    if (handles && *n < 1)
        return TSS2_TCTI_RC_INSUFFICIENT_BUFFER;
    if (handles)
        handles[0] = (struct pollfd){.fd = of(ctx)->fd, .events = POLLIN};
    *n = 1;
    return TSS2_RC_SUCCESS;
}

static TSS2_RC cancel(TSS2_TCTI_CONTEXT *ctx)
{
    (void)ctx;
    return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static TSS2_RC set_locality(TSS2_TCTI_CONTEXT *ctx, uint8_t locality)
{
    (void)ctx;
    (void)locality;
    return TSS2_TCTI_RC_NOT_IMPLEMENTED;
}

static void finalize(TSS2_TCTI_CONTEXT *ctx)
{
    close(of(ctx)->fd);
}

TSS2_RC hwk_tpm_tabrmd_open(const char *name, TSS2_TCTI_CONTEXT **out)
{
    struct manager m;
    struct tabrmd *t;
    if (!parse(name, &m))
        return TSS2_TCTI_RC_BAD_VALUE;
    if (!(t = OPENSSL_zalloc(sizeof(*t))))
        return TSS2_TCTI_RC_MEMORY;
    const struct hwk_bus_call call = {.session = m.session,
                                      .service = m.service,
                                      .path = "/com/intel/tss2/Tabrmd/Tcti",
                                      .interface = "com.intel.tss2.TctiTabrmd",
                                      .member = "CreateConnection"};
    t->fd = hwk_bus_socket(&call);
    if (t->fd < 0) {
        OPENSSL_free(t);
        return TSS2_TCTI_RC_NO_CONNECTION;
    }
    t->common.v1 = (TSS2_TCTI_CONTEXT_COMMON_V1){.magic = MAGIC,
                                                 .version = 2,
                                                 .transmit = transmit,
                                                 .receive = receive,
                                                 .finalize = finalize,
                                                 .cancel = cancel,
                                                 .getPollHandles = poll_handles,
                                                 .setLocality = set_locality};
    *out = (TSS2_TCTI_CONTEXT *)t;
    return TSS2_RC_SUCCESS;
}

void hwk_tpm_tabrmd_close(TSS2_TCTI_CONTEXT **ctx)
{
    if (!*ctx)
        return;
    Tss2_Tcti_Finalize(*ctx);
    OPENSSL_clear_free(*ctx, sizeof(struct tabrmd));
    *ctx = NULL;
}
