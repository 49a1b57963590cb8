/* SPDX-License-Identifier: Apache-2.0 */
/* Stations, each a process of its own. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/fs.h>

#include "provider/device.h"
#include "provider/device/tpm2_tcti.h"
#include "tests/lib/station_run.h"

#define DIED 7

/* --- steps -----------------------------------------------------------------
 */

static const struct station_line *now; /* NULL: steps are not counted */
static struct station_result *result;

static void die(void)
{
    result->died = true;
    _exit(DIED);
}

/* true: this one is to fail */
static bool step(enum station_step kind)
{
    if (!now || ++result->steps[kind] != now->at || kind != now->kind)
        return false;
    result->struck = true;
    if (now->end == STATION_DIES)
        die();
    return true;
}

static TSS2_RC at_command(void *arg, bool sent, TPM2_CC command)
{
    (void)arg;
    (void)command;
    return step(sent ? STATION_ANSWERS : STATION_SENDS) ? TSS2_TCTI_RC_IO_ERROR
                                                        : TSS2_RC_SUCCESS;
}

static struct idv_factory_store real;

static idv_rc full(void)
{
    return idv_fail(IDV_E_IO, "the disk is full");
}

static idv_rc find(void *self, enum idv_factory_by by, struct idv_bytes what,
                   bool *found, struct idv_factory_device *out)
{
    return step(STATION_READS) ? full() : real.find(self, by, what, found, out);
}

static idv_rc put(void *self, const struct idv_factory_device *d,
                  enum idv_factory_state from, const char *kind,
                  struct idv_bytes body, int64_t at, enum idv_factory_why *why)
{
    if (step(STATION_WRITES))
        return full();
    IDV_TRY(real.put(self, d, from, kind, body, at, why));
    return step(STATION_WRITTEN) ? full() : IDV_OK;
}

/* --- the desk's part -------------------------------------------------------
 */

static idv_rc file(const struct station_line *l, const char *name, bool write,
                   struct idv_buf *b)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/%s", l->dir, name);
    return write ? idv_fs_write(path, idv_view(b), 0600)
                 : idv_fs_read(path, 0, b);
}

static idv_rc issue(const struct station_line *l, struct idv_buf *request)
{
    IDV_AUTO(buf) reply = {0};
    IDV_TRY(l->issue ? l->issue(l, idv_view(request), &reply)
                     : minidesk_issue(&l->desk, idv_view(request), &reply));
    return file(l, "reply", true, &reply);
}

static idv_rc issue_file(const struct station_line *l)
{
    IDV_AUTO(buf) request = {0};
    IDV_TRY(file(l, "request", false, &request));
    return issue(l, &request);
}

/* --- acts ------------------------------------------------------------------
 */

static idv_rc look(struct idv_station *s, struct station_result *out)
{
    struct idv_station_seen seen;
    IDV_TRY(idv_station_look(s, &seen, &out->why));
    out->known = seen.known;
    out->has_idevid = seen.has_idevid;
    out->has_other = seen.has_other;
    memcpy(out->has_serial, seen.has_serial, sizeof(out->has_serial));
    memcpy(out->text, seen.text, sizeof(out->text));
    memcpy(out->ek, seen.ek, 32);
    const enum idv_factory_state state =
        seen.known ? seen.device.state : IDV_DEVICE_NONE;
    idv_station_seen_free(&seen);
    result->state = state;
    return IDV_OK;
}

static idv_rc request(const struct station_line *l, struct idv_station *s,
                      const uint8_t *over, struct station_result *out)
{
    IDV_AUTO(buf) b = {0};
    IDV_TRY(idv_station_request(s, over, &b, &out->why));
    return file(l, "request", true, &b);
}

static idv_rc install(const struct station_line *l, struct idv_station *s,
                      struct station_result *out)
{
    IDV_AUTO(buf) b = {0};
    IDV_TRY(file(l, "reply", false, &b));
    return idv_station_install(s, idv_view(&b), &out->why);
}

/* as the line's program does it */
static idv_rc provision(const struct station_line *l, struct idv_station *s,
                        struct station_result *out)
{
    IDV_TRY(look(s, out));
    if (out->state != IDV_DEVICE_INSTALLED &&
        (out->state != IDV_DEVICE_DONE || l->conf.again)) {
        IDV_TRY(request(l, s, l->challenge, out));
        IDV_TRY(issue_file(l));
        IDV_TRY(install(l, s, out));
    }
    IDV_TRY(idv_station_finish(s, &out->why));
    return idv_station_verify(s, &out->why);
}

static idv_rc act_on(const struct station_line *l, enum station_act act,
                     struct idv_station *s, struct station_result *out)
{
    switch (act) {
    case STATION_LOOK:
        return look(s, out);
    case STATION_REQUEST:
        return request(l, s, l->challenge, out);
    case STATION_REPEAT:
        return request(l, s, NULL, out);
    case STATION_INSTALL:
        return install(l, s, out);
    case STATION_FINISH:
        return idv_station_finish(s, &out->why);
    case STATION_PROVISION:
        return provision(l, s, out);
    case STATION_VERIFY:
        return idv_station_verify(s, &out->why);
    case STATION_WIPE:
        return idv_station_wipe(s, &out->why);
    default:
        return idv_fail(IDV_E_ARG, "no such act");
    }
}

static idv_rc set_up(const struct station_line *l)
{
    const struct idv_provider_conf conf = {.tpm2_tcti =
                                               l->tpm.pid ? l->tpm.tcti : NULL,
                                           .owner_pin_file = l->owner_pin,
                                           .lockout_pin_file = l->lockout_pin};
    if (l->tpm.pid)
        setenv("HWKEY_TPM_LOCK", l->tpm.lock, 1);
    return idv_provider_setup(hwk_provider_init, &conf);
}

/* the book opened by each process anew */
static idv_rc with_book(struct station_line *l, enum station_act act,
                        struct idv_factory_store *store,
                        struct station_result *out)
{
    struct idv_station_conf conf = l->conf;
    struct idv_station *s = NULL;
    conf.store = store;
    if (act == STATION_RETIRE)
        return idv_factory_retire(store, conf.serial_number, STATION_NAME, "op",
                                  "broken", &l->pki.env.env, &out->why);
    if (act == STATION_RELEASE)
        return idv_factory_release(store, conf.serial_number, STATION_NAME,
                                   "op", "label", &l->pki.env.env, &out->why);
    IDV_TRY(idv_station_new(&conf, &s));
    now = l;
    hwk_tpm_set_fault(at_command, NULL);
    idv_rc rc = act_on(l, act, s, out);
    now = NULL;
    hwk_tpm_set_fault(NULL, NULL);
    idv_station_calls(s, &out->calls);
    idv_station_free(s);
    return rc;
}

static idv_rc program(struct station_line *l, enum station_act act,
                      struct station_result *out)
{
    struct idv_db *db = NULL;
    if (act == STATION_ISSUE)
        return issue_file(l);
    IDV_TRY(set_up(l));
    IDV_TRY(idv_db_open_factory(l->book.path, &db));
    real = idv_db_factory_store(db);
    struct idv_factory_store store = real;
    store.find = find;
    store.put = put;
    idv_rc rc = with_book(l, act, &store, out);
    idv_db_close(db);
    return rc;
}

/* --- processes -------------------------------------------------------------
 */

static bool ended(pid_t pid)
{
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFEXITED(status) &&
        (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DIED))
        return true;
    fprintf(stderr, "a station ended with %#x\n", (unsigned)status);
    return false;
}

bool station_run(struct station_line *l, enum station_act act,
                 struct station_result *out)
{
    struct station_result *told =
        mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED)
        return false;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        result = told;
        told->rc = program(l, act, told);
        snprintf(told->note, sizeof(told->note), "%s", idv_note());
        _exit(0);
    }
    const bool ok = ended(pid);
    *out = *told;
    munmap(told, sizeof(*told));
    return ok;
}

/* --- the line --------------------------------------------------------------
 */

void station_line_open(struct station_line *l)
{
    memset(l, 0, sizeof(*l));
    pki_make(&l->pki);
    book_open(&l->book);
    snprintf(l->dir, sizeof(l->dir), "/tmp/idevid-line-XXXXXX");
    if (!mkdtemp(l->dir))
        abort();
    l->desk = (struct minidesk){.pki = &l->pki, .dir = l->dir};
    memcpy(l->challenge, (const uint8_t[]){1, 2, 3}, 3);
    l->conf = (struct idv_station_conf){.device = "tpm2:",
                                        .profile = IDV_PROFILE_TCG,
                                        .order = "L1",
                                        .serial_number = "AB-0001",
                                        .model = "Model",
                                        .station = STATION_NAME,
                                        .operator_ = "op",
                                        .signer = l->pki.masa.key,
                                        .signer_cert = l->pki.masa.cert,
                                        .anchors = l->pki.anchors,
                                        .chain = l->pki.idevid_chain,
                                        .env = &l->pki.env.env};
}

bool station_line_tpm(struct station_line *l)
{
    if (l->tpm.pid)
        swtpm_stop(&l->tpm);
    memset(&l->tpm, 0, sizeof(l->tpm));
    return swtpm_start_vendor(&l->tpm, NULL) == 0;
}

void station_line_close(struct station_line *l)
{
    char command[128];
    if (l->tpm.pid)
        swtpm_stop(&l->tpm);
    book_drop(&l->book);
    snprintf(command, sizeof(command), "rm -rf '%s'", l->dir);
    if (system(command) != 0)
        abort();
    pki_free(&l->pki);
}
