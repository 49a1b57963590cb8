/* SPDX-License-Identifier: Apache-2.0 */
/* PKCS#11 modules: loading, scanning for tokens, forks, the end. */
#include "config.h"

#include <dlfcn.h>
#include <string.h>
#include <strings.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "provider/core.h"
#include "provider/device/p11_dev.h"

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static struct p11_module *all; /* only ever grows */
static int users;

/* --- loading --- */

static int initialize(struct p11_module *m)
{
    CK_C_INITIALIZE_ARGS args = {.flags = CKF_OS_LOCKING_OK,
                                 .pReserved = m->init_args};
    CK_RV rv = P11(m, C_Initialize, &args);

    if (atomic_exchange(&m->lost, false))
        m->owner = false;
    if (rv == CKR_OK)
        m->owner = true;
    else if (rv != CKR_CRYPTOKI_ALREADY_INITIALIZED)
        return p11_raise(m->path, rv);
    p11_family_found(m, rv == CKR_OK);
    hwk_exit_watch();
    return p11_family_use(m);
}

static int load_functions(struct p11_module *m)
{
    CK_C_GetFunctionList get;
    CK_RV rv;

    if (m->f != NULL)
        return 1;
    hwk_mark();
    m->dl = dlopen(m->path, RTLD_NOW | RTLD_LOCAL);
    hwk_settle(1);
    if (m->dl == NULL)
        return hwk_raise(HWK_R_MODULE, "%s", dlerror());
    *(void **)(void *)&get = dlsym(m->dl, "C_GetFunctionList");
    if (get == NULL)
        return hwk_raise(HWK_R_MODULE, "%s: no PKCS#11 module", m->path);
    hwk_count(pkcs11_calls);
    hwk_mark();
    rv = get(&m->f);
    hwk_settle(1);
    if (rv != CKR_OK) {
        m->f = NULL;
        return p11_raise(m->path, rv);
    }
    return 1;
}

static int load_libp11(struct p11_module *m)
{
    m->ctx = PKCS11_CTX_new();
    if (m->ctx == NULL)
        return hwk_raise(HWK_R_MEMORY, "%s", m->path);
    if (m->init_args != NULL)
        PKCS11_CTX_init_args(m->ctx, m->init_args);
    if (PKCS11_CTX_load(m->ctx, m->path) != 0) {
        PKCS11_CTX_free(m->ctx);
        m->ctx = NULL;
        return hwk_raise(HWK_R_MODULE, "%s: does not load", m->path);
    }
    snprintf(m->manufacturer, sizeof(m->manufacturer), "%s",
             m->ctx->manufacturer != NULL ? m->ctx->manufacturer : "");
    snprintf(m->description, sizeof(m->description), "%s",
             m->ctx->description != NULL ? m->ctx->description : "");
    return 1;
}

/* --- getting ready --- */

/* libp11 looks once: its context never recovers from a C_Finalize of somebody
 * else or a fork, and gives up over one bad slot. Then we look ourselves. */
static int look(struct p11_module *m, CK_RV *rv)
{
    bool ok = false;

    *rv = CKR_OK;
    if (!m->looked) {
        m->looked = true;
        hwk_mark();
        ok = load_libp11(m) && p11_first_look(m);
        hwk_settle(1); /* why not, we see ourselves */
    }
    if (ok)
        p11_family_found(m, false);
    return ok || p11_scan(m, rv);
}

/* modules and libp11 leave errors behind although all went well */
static int prepare(struct p11_module *m)
{
    CK_RV rv = CKR_OK;
    int ok, tries;

    if (atomic_load(&m->ending))
        return hwk_raise(HWK_R_MODULE, "%s: has not come back from C_Finalize",
                         m->path);
    ERR_set_mark();
    for (tries = 0; tries < 2; tries++) {
        ok = load_functions(m) && (atomic_load(&m->ready) || initialize(m)) &&
             look(m, &rv);
        if (ok || rv != CKR_CRYPTOKI_NOT_INITIALIZED)
            break;
        p11_module_lost(m);
    }
    if (ok)
        atomic_store(&m->ready, true);
    if (ok)
        ERR_pop_to_mark();
    else
        ERR_clear_last_mark();
    return ok;
}

static int prepare_alone(struct p11_module *m)
{
    int ok = prepare(m);

    hwk_log(HWK_LOG_INFO, "module", "path", m->path, "ready",
            ok ? "yes" : "no");
    return ok;
}

/* One thread at a time, without the lock: a slot that takes its time keeps
 * those waiting that need the scan, and nobody else. A scan that began after we
 * came is as good as our own. */
static int refresh(struct p11_module *m, bool again)
{
    unsigned want;
    int ok = 1;

    pthread_mutex_lock(&m->lock);
    want = m->begun + 1;
    while (m->busy)
        pthread_cond_wait(&m->changed, &m->lock);
    if (!atomic_load(&m->ready) || (again && m->done < want)) {
        unsigned mine = ++m->begun;

        m->busy = true;
        pthread_mutex_unlock(&m->lock);
        ok = prepare_alone(m);
        pthread_mutex_lock(&m->lock);
        m->busy = false;
        if (ok)
            m->done = mine;
        pthread_cond_broadcast(&m->changed);
    }
    pthread_mutex_unlock(&m->lock);
    return ok;
}

int p11_module_ready(struct p11_module *m)
{
    return atomic_load(&m->ready) || refresh(m, false);
}

void p11_module_lost(struct p11_module *m)
{
    atomic_store(&m->lost, true);
    atomic_store(&m->ready, false);
}

int p11_module_rescan(struct p11_module *m)
{
    return refresh(m, true);
}

int p11_token_there(struct p11_token *t)
{
    int tries;

    for (tries = 0; tries < 2; tries++) {
        CK_RV rv = CKR_OK;

        if (!p11_module_ready(t->module))
            return 0;
        if (atomic_load(&t->present) && atomic_load(&t->unsure))
            rv = p11_confirm(t);
        if (atomic_load(&t->present) && rv == CKR_OK)
            return 1;
        if (rv == CKR_CRYPTOKI_NOT_INITIALIZED) {
            p11_module_lost(t->module);
            continue;
        }
        if (!p11_module_rescan(t->module))
            return 0;
        if (atomic_load(&t->present))
            return 1;
        break;
    }
    return hwk_raise(HWK_R_NO_DEVICE, "token '%s' is not there", t->label);
}

/* --- which modules --- */

/* what the first configuration that names it says of it stays, until the last
 * provider is unloaded */
static void settle_module(struct p11_module *m, const struct hwk_config *cfg)
{
    const char *args = hwk_config_init_args(cfg, m->path, strlen(m->path));

    m->settled = true;
    OPENSSL_free(m->init_args);
    m->init_args = args != NULL ? OPENSSL_strdup(args) : NULL;
    m->max_sessions = cfg->max_sessions;
    m->pin_final_try = cfg->pin_final_try;
}

static struct p11_module *module_for(const struct hwk_config *cfg,
                                     const char *path, size_t n)
{
    struct p11_module *m;

    pthread_mutex_lock(&all_lock);
    for (m = all; m != NULL; m = m->next)
        if (strlen(m->path) == n && memcmp(m->path, path, n) == 0)
            break;
    if (m == NULL && (m = OPENSSL_zalloc(sizeof(*m))) != NULL) {
        m->path = OPENSSL_strndup(path, n);
        pthread_mutex_init(&m->lock, NULL);
        pthread_cond_init(&m->changed, NULL);
        pthread_mutex_init(&m->family_lock, NULL);
        m->next = all;
        all = m;
    }
    if (m != NULL && m->path != NULL && !m->settled)
        settle_module(m, cfg);
    pthread_mutex_unlock(&all_lock);
    if (m == NULL || m->path == NULL)
        hwk_raise(HWK_R_MEMORY, "module");
    return m != NULL && m->path != NULL ? m : NULL;
}

static bool chosen(const char *path, size_t n, const struct hwk_uri *uri)
{
    if (uri->module_path.p != NULL &&
        (n != uri->module_path.n || memcmp(path, uri->module_path.p, n) != 0))
        return false;
    return uri->module_name.p == NULL ||
           hwk_module_named(path, n, (const char *)uri->module_name.p,
                            uri->module_name.n);
}

static int one_module(const struct hwk_config *cfg, const char *path, size_t n,
                      int (*each)(void *arg, struct p11_module *m), void *arg)
{
    struct p11_module *m = module_for(cfg, path, n);

    return m != NULL && p11_module_ready(m) ? each(arg, m) : -1;
}

static int configured(const struct hwk_config *cfg, const struct hwk_uri *uri,
                      int (*each)(void *arg, struct p11_module *m), void *arg,
                      int *failed)
{
    const char *list = cfg->pkcs11_module;
    int tried = 0;

    while (list != NULL && *list != 0) {
        size_t n = strcspn(list, ":");

        if (n > 0 && chosen(list, n, uri)) {
            int r = one_module(cfg, list, n, each, arg);

            tried++;
            if (r < 0)
                ++*failed;
            if (r == 0)
                return tried;
        }
        list += n;
        list += *list == ':';
    }
    return tried;
}

int p11_each_module(struct p11_state *st, const struct hwk_uri *uri,
                    int (*each)(void *arg, struct p11_module *m), void *arg)
{
    const struct hwk_config *cfg = st->cfg;
    int failed = 0, tried = configured(cfg, uri, each, arg, &failed);

    if (tried == 0 && uri->module_path.p != NULL && cfg->allow_module_path) {
        tried = 1;
        failed = one_module(cfg, (const char *)uri->module_path.p,
                            uri->module_path.n, each, arg) < 0;
    }
    if (tried == 0)
        return hwk_raise(HWK_R_CONFIG, cfg->pkcs11_module == NULL
                                           ? "no PKCS#11 module: set "
                                             "pkcs11-module in openssl.cnf or "
                                             "HWKEY_PKCS11_MODULE"
                                           : "the URI names a module that "
                                             "pkcs11-module does not list");
    return failed < tried;
}

/* --- forks and the end --- */

static void p11_forked(void *state)
{
    struct p11_module *m;
    struct p11_token *t;

    (void)state;
    pthread_mutex_init(&all_lock, NULL);
    for (m = all; m != NULL; m = m->next) {
        pthread_mutex_init(&m->lock, NULL);
        pthread_cond_init(&m->changed, NULL);
        pthread_mutex_init(&m->family_lock, NULL);
        m->busy = false;
        atomic_store(&m->ready, false);
        m->forked = true;
        m->owner = false;
        for (t = m->tokens; t != NULL; t = t->next) {
            pthread_mutex_init(&t->lock, NULL);
            pthread_mutex_init(&t->login_lock, NULL);
            pthread_cond_init(&t->freed, NULL);
            hwk_secret_forked(t->pin);
            t->n_idle = t->n_busy = t->n_waiting = 0;
            atomic_store(&t->logged_in, false);
            t->dead = t->epoch++;
        }
    }
}

static void p11_begin(void)
{
    pthread_mutex_lock(&all_lock);
    users++;
    pthread_mutex_unlock(&all_lock);
}

static void p11_end(bool exiting)
{
    struct p11_module *m;

    pthread_mutex_lock(&all_lock);
    if (--users == 0)
        for (m = all; m != NULL; m = m->next) {
            m->settled = false;
            p11_module_end(m, exiting);
        }
    pthread_mutex_unlock(&all_lock);
}

/* --- once more --- */

static bool in_use(struct p11_module *m)
{
    struct p11_token *t;
    bool used = false;

    for (t = m->tokens; t != NULL; t = t->next) {
        pthread_mutex_lock(&t->lock);
        used |= t->n_busy > 0 || t->n_homes > 0;
        pthread_mutex_unlock(&t->lock);
    }
    return used;
}

/* As if somebody else had done it: what there is goes the way of a loss. */
static void begin_anew(struct p11_module *m)
{
    P11(m, C_Finalize, NULL);
    if (m->tokens != NULL)
        p11_token_lost(m->tokens, p11_epoch(m->tokens),
                       CKR_CRYPTOKI_NOT_INITIALIZED);
    p11_module_lost(m);
}

static int p11_again(void *state)
{
    struct p11_module *m;
    int ok = 1;

    (void)state;
    pthread_mutex_lock(&all_lock);
    for (m = all; m != NULL; m = m->next) {
        if (!m->owner || !atomic_load(&m->ready))
            continue;
        if (in_use(m))
            ok = hwk_raise(HWK_R_IN_USE, "%s: a token of it is used", m->path);
        else
            begin_anew(m);
    }
    pthread_mutex_unlock(&all_lock);
    return ok;
}

/* --- the row --- */

static int p11_open(const struct hwk_config *cfg, void **state)
{
    struct p11_state *st = OPENSSL_zalloc(sizeof(*st));

    if (st == NULL)
        return hwk_raise(HWK_R_MEMORY, "pkcs11");
    st->cfg = cfg;
    p11_begin();
    *state = st;
    return 1;
}

static void p11_close(void *state, bool exiting)
{
    p11_end(exiting);
    OPENSSL_free(state);
}

static const enum hwk_scheme schemes[] = {HWK_SCHEME_PKCS11, 0};

const struct hwk_backend hwk_backend_pkcs11 = {
    .name = "pkcs11",
    .schemes = schemes,
    .open = p11_open,
    .close = p11_close,
    .forked = p11_forked,
    .find = p11_find,
    .devices = p11_devices,
    .make = p11_make,
    .sign = p11_sign,
    .random = p11_random,
    .decrypt = p11_decrypt,
    .derive = p11_derive,
    .release = p11_release,
    .dev_open = p11_dev_open,
    .dev_close = p11_dev_close,
    .dev_info = p11_dev_info,
    .dev_list = p11_dev_list,
    .dev_read = p11_dev_read,
    .dev_write = p11_dev_write,
    .dev_erase = p11_dev_erase,
    .dev_count = p11_dev_count,
    .again = p11_again,
};
