/* SPDX-License-Identifier: Apache-2.0 */
/* Programs that act on the anchor, each a process of its own. The program that
 * links this wraps open, write, fchmod, fsync, rename, unlink, mkdir, rmdir. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <openssl/sha.h>

#include <idevid/auto.h>
#include <idevid/fs.h>
#include <idevid/text.h>
#include <idevid/x509.h>

#include "key/nv.h"
#include "provider/device.h"
#include "provider/device/tpm2_tcti.h"
#include "tests/lib/anchor_run.h"
#include "tpm/nvpolicy.h"

#define DIED 7

/* --- steps ---------------------------------------------------------------- */

static const struct run *now; /* NULL: steps are not counted */
static struct run_result *result;

/* true: this step is to fail */
static bool step(enum run_step kind)
{
    if (!now || result->died)
        return false;
    const bool hit = ++result->steps[kind] == now->at && kind == now->kind;
    if (!hit)
        return false;
    result->struck = true;
    return now->end == RUN_FAILS;
}

static bool dies(enum run_step kind)
{
    return now && now->end == RUN_DIES && kind == now->kind &&
           result->steps[kind] == now->at;
}

static void die(void)
{
    result->died = true;
    _exit(DIED);
}

static TSS2_RC at_command(void *arg, bool sent, TPM2_CC command)
{
    const enum run_step kind = sent ? RUN_ANSWERS : RUN_SENDS;
    (void)arg;
    (void)command;
    const bool fails = step(kind);
    if (dies(kind))
        die();
    return fails ? TSS2_TCTI_RC_IO_ERROR : TSS2_RC_SUCCESS;
}

/* Before a change on disk; a process that dies there dies before it. */
static bool full(void)
{
    const bool fails = step(RUN_FILES);
    if (dies(RUN_FILES))
        die();
    if (fails)
        errno = ENOSPC;
    return fails;
}

int __real_open(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *p, size_t n);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *p, size_t n);

int __wrap_open(const char *path, int flags, ...)
{
    return (flags & O_CREAT) && full() ? -1 : __real_open(path, flags, 0600);
}

ssize_t __wrap_write(int fd, const void *p, size_t n)
{
    if (now && now->kind == RUN_FILES && now->end == RUN_DIES &&
        result->steps[RUN_FILES] + 1 == now->at &&
        __real_write(fd, p, n / 2) < 0)
        return -1;
    return full() ? -1 : __real_write(fd, p, n);
}

#define WRAP(call, args, pass)                                                 \
    int __real_##call args;                                                    \
    int __wrap_##call args;                                                    \
    int __wrap_##call args                                                     \
    {                                                                          \
        return full() ? -1 : __real_##call pass;                               \
    }
WRAP(fchmod, (int fd, mode_t mode), (fd, mode))
WRAP(fsync, (int fd), (fd))
WRAP(rename, (const char *from, const char *to), (from, to))
WRAP(unlink, (const char *path), (path))
WRAP(mkdir, (const char *path, mode_t mode), (path, mode))
WRAP(rmdir, (const char *path), (path))

/* --- acts ----------------------------------------------------------------- */

static const char voucher[] = "the sealed voucher";

static idv_rc imprint(const struct run *r, struct idv_trust *t)
{
    struct idv_pinned p = {.kind = IDV_PIN_CERT,
                           .cert = r->pki->domain_ca.cert};
    IDV_TRY(idv_key_fingerprint(X509_get0_pubkey(p.cert), p.spki_sha256));
    SHA256((const uint8_t *)voucher, strlen(voucher), p.voucher_sha256);
    return idv_trust_imprint(t, &p, idv_str(voucher));
}

static idv_rc enroll(const struct run *r, struct idv_trust *t)
{
    const struct idv_cert_spec spec = {.kind = IDV_CERT_LDEVID,
                                       .serial_number = PKI_SERIAL};
    struct pki_id id = pki_issue(r->pki, "P-256", &spec, &r->pki->domain_ca);
    struct idv_enrollment e = {
        .ldevid = pki_stack(id.cert, NULL),
        .anchors = pki_stack(r->pki->domain_ca.cert, NULL),
        .key_uri = "tpm2:handle=0x81020001",
        .registrar = "https://registrar.example.com:8443",
    };
    idv_rc rc = idv_trust_enroll(t, &e);
    idv_enrollment_free(&e);
    pki_id_free(&id);
    return rc;
}

static idv_rc act_on(const struct run *r, enum run_act act, struct idv_trust *t)
{
    switch (act) {
    case RUN_IMPRINT:
        return imprint(r, t);
    case RUN_ENROLL:
        return enroll(r, t);
    case RUN_RESET:
        return idv_trust_reset(t);
    default:
        return IDV_OK;
    }
}

static void tell(const struct run *r, const struct idv_trust *t,
                 struct run_result *out)
{
    const X509 *pin = idv_trust_pin(t);
    out->opened = true;
    out->unsure = idv_trust_unsure(t);
    out->state = idv_trust_state(t);
    out->generation = idv_trust_generation(t);
    out->pinned = pin && idv_cert_eq(pin, r->pki->domain_ca.cert);
    if (idv_trust_cut(t))
        snprintf(out->cut, sizeof(out->cut), "%s", idv_trust_cut(t));
}

static void count_from_here(const struct run *r)
{
    now = r;
    hwk_tpm_set_fault(at_command, NULL);
}

static idv_rc on_state(const struct run *r, enum run_act act,
                       struct idv_trust_conf *conf, struct run_result *out)
{
    struct idv_trust *t = NULL;
    const bool opening = act == RUN_OBSERVE || act == RUN_OPEN;
    if (opening)
        count_from_here(r);
    IDV_TRY(idv_trust_open(conf, &t));
    if (!opening)
        count_from_here(r);
    idv_rc rc = act_on(r, act, t);
    now = NULL;
    tell(r, t, out);
    idv_trust_close(t);
    return rc;
}

static idv_rc forget_counter(struct idv_device *dev)
{
    const struct hwk_nv_by owner = {.handle = IDVI_RH_OWNER};
    struct hwk_nv nv;
    bool found;
    IDV_TRY(idvi_nv_look(dev, IDV_ANCHOR_TPM2_COUNTER, &found, &nv, NULL));
    return found ? idvi_nv_undefine(dev, &nv, &owner, NULL) : IDV_OK;
}

static idv_rc open_device(const struct run *r, struct idv_device **dev)
{
    const struct idv_provider_conf conf = {
        .tpm2_tcti = r->tcti ? r->tcti : r->tpm->tcti,
        .salt_key = r->salt_key,
    };
    setenv("HWKEY_TPM_LOCK", r->tpm->lock, 1);
    IDV_TRY(idv_provider_setup(hwk_provider_init, &conf));
    return idv_device_open("tpm2:", NULL, dev);
}

static idv_rc program(const struct run *r, enum run_act act,
                      struct run_result *out)
{
    struct idv_device *dev = NULL;
    IDV_TRY(open_device(r, &dev));
    struct idv_trust_conf conf = {
        .dir = r->dir, .env = &r->pki->env.env, .observe = act == RUN_OBSERVE};
    idv_rc rc = idv_anchor_open(dev, &r->anchor, &conf.anchor);
    if (rc == IDV_OK && act == RUN_WIPE) {
        count_from_here(r);
        rc = idv_trust_wipe(&conf);
    } else if (rc == IDV_OK && act == RUN_FORGET) {
        rc = forget_counter(dev);
    } else if (rc == IDV_OK) {
        rc = on_state(r, act, &conf, out);
    }
    now = NULL;
    hwk_tpm_set_fault(NULL, NULL);
    idv_anchor_close(&conf.anchor);
    idv_device_close(dev);
    return rc;
}

/* --- processes ------------------------------------------------------------ */

static void *shared(size_t n)
{
    void *p = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static bool ended(pid_t pid)
{
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFEXITED(status) &&
        (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DIED))
        return true;
    fprintf(stderr, "a program ended with %#x\n", (unsigned)status);
    return false;
}

bool run_act(const struct run *run, enum run_act act, struct run_result *out)
{
    struct run_result *told = shared(sizeof(*told));
    if (!told)
        return false;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        result = told;
        told->rc = program(run, act, told);
        snprintf(told->note, sizeof(told->note), "%s", idv_note());
        _exit(0);
    }
    const bool ok = ended(pid);
    *out = *told;
    munmap(told, sizeof(*told));
    return ok;
}

/* --- what there is -------------------------------------------------------- */

static uint8_t sum[32];

/* in whatever order they come */
static void add(struct idv_buf *item)
{
    uint8_t digest[32];
    SHA256(item->p, item->n, digest);
    for (size_t i = 0; i < sizeof(sum); i++)
        sum[i] ^= digest[i];
}

static int add_file(const char *path, const struct stat *st, int type,
                    struct FTW *at)
{
    IDV_AUTO(buf) file = {0};
    IDV_AUTO(buf) item = {0};
    (void)at;
    if (type == FTW_F && idv_fs_read(path, 0, &file) != IDV_OK)
        return 1;
    const size_t n = strlen(path),
                 temp = n > 21 && strcmp(path + n - 4, ".tmp") == 0
                            ? 21
                            : 0; /* without what is random */
    if (idv_buf_putf(&item, "%.*s %o ", (int)(n - temp), path,
                     (unsigned)st->st_mode) != IDV_OK ||
        idv_buf_put(&item, idv_view(&file)) != IDV_OK)
        return 1;
    add(&item);
    return 0;
}

static idv_rc add_index(struct idv_device *dev, uint32_t index)
{
    IDV_AUTO(buf) item = {0};
    struct hwk_nv nv = {0};
    uint8_t data[2048];
    bool found = false;
    IDV_TRY(idvi_nv_look(dev, index, &found, &nv, NULL));
    if (!found || nv.size > sizeof(data))
        return IDV_OK;
    IDV_TRY(idv_buf_putf(&item, "%x ", index));
    IDV_TRY(idv_buf_put(&item, idv_bytes(nv.name, nv.name_n)));
    IDV_TRY(idvi_nv_read(dev, &nv, &found, data, NULL));
    if (found)
        IDV_TRY(idv_buf_put(&item, idv_bytes(data, nv.size)));
    add(&item);
    return IDV_OK;
}

static idv_rc add_all(const struct run *r)
{
    struct idv_device *dev = NULL;
    if (idv_fs_exists(r->dir) && nftw(r->dir, add_file, 4, FTW_PHYS) != 0)
        return IDV_E_IO;
    IDV_TRY(open_device(r, &dev));
    idv_rc rc = IDV_OK;
    for (uint32_t i = 0x01800A00; rc == IDV_OK && i <= 0x01800A02; i++)
        rc = add_index(dev, i);
    idv_device_close(dev);
    return rc;
}

bool run_snapshot(const struct run *run, uint8_t out[32])
{
    uint8_t *told = shared(32);
    bool ok;
    if (!told)
        return false;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        ok = add_all(run) == IDV_OK;
        if (!ok)
            fprintf(stderr, "%s\n", idv_note());
        memcpy(told, sum, sizeof(sum));
        _exit(ok ? 0 : 1);
    }
    ok = ended(pid);
    memcpy(out, told, 32);
    munmap(told, 32);
    return ok;
}
