/* SPDX-License-Identifier: Apache-2.0 */
/* The lines that tell the test's PKCS#11 module what it is. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/p11_soft_int.h"

#define WORDS 32

bool soft_number(const char *text, unsigned long *out)
{
    char *end;

    errno = 0;
    *out = strtoul(text, &end, 0);
    return errno == 0 && *text != 0 && *end == 0;
}

const char *soft_value(const char *word, const char *key)
{
    size_t n = strlen(key);

    return strncmp(word, key, n) == 0 && word[n] == '=' ? word + n + 1 : NULL;
}

static void unescape(char *word)
{
    char *out = word, hex[3] = {0};

    for (; *word != 0; word++) {
        if (*word == '%' && word[1] != 0 && word[2] != 0) {
            memcpy(hex, word + 1, 2);
            *out++ = (char)strtoul(hex, NULL, 16);
            word += 2;
        } else {
            *out++ = *word;
        }
    }
    *out = 0;
}

/* --- slots --- */

static struct soft_slot *slot_for(unsigned long n)
{
    struct soft_slot *slot = soft_slot_by_number(n), **at = &soft.slots;

    if (slot != NULL)
        return slot;
    slot = calloc(1, sizeof(*slot));
    if (slot == NULL)
        return NULL;
    slot->n = slot->id = n;
    slot->tries = 3;
    snprintf(slot->label, sizeof(slot->label), "soft");
    snprintf(slot->serial, sizeof(slot->serial), "%04lu", n);
    snprintf(slot->model, sizeof(slot->model), "memory");
    snprintf(slot->maker, sizeof(slot->maker), "idevid tests");
    snprintf(slot->pin, sizeof(slot->pin), "1234");
    while (*at != NULL)
        at = &(*at)->next;
    *at = slot;
    return slot;
}

static bool flag(struct soft_slot *slot, const char *word)
{
    const struct {
        const char *word;
        bool *flag;
    } flags[] = {
        {"empty", &slot->empty},
        {"no-login", &slot->no_login},
        {"protected", &slot->protected},
        {"always-auth", &slot->always_auth},
        {"derive-auth", &slot->derive_auth},
        {"bare-point", &slot->bare_point},
        {"stop-at-first", &slot->stop_at_first},
    };
    size_t i;
    bool on = strncmp(word, "not-", 4) != 0;

    for (i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
        if (strcmp(flags[i].word, on ? word : word + 4) == 0) {
            *flags[i].flag = on;
            return true;
        }
    return false;
}

static bool text(struct soft_slot *slot, const char *word)
{
    const struct {
        const char *key;
        char *to;
        size_t max;
    } texts[] = {
        {"label", slot->label, sizeof(slot->label)},
        {"serial", slot->serial, sizeof(slot->serial)},
        {"model", slot->model, sizeof(slot->model)},
        {"maker", slot->maker, sizeof(slot->maker)},
        {"pin", slot->pin, sizeof(slot->pin)},
        {"file", slot->file, sizeof(slot->file)},
    };
    const char *v;
    size_t i;

    for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if ((v = soft_value(word, texts[i].key)) != NULL) {
            if (strlen(v) >= texts[i].max)
                return false;
            strcpy(texts[i].to, v);
            slot->wrong = texts[i].to == slot->pin ? 0 : slot->wrong;
            return true;
        }
    return false;
}

static bool number(struct soft_slot *slot, const char *word)
{
    unsigned long n;
    const char *v;

    if ((v = soft_value(word, "tries")) != NULL && soft_number(v, &n))
        slot->tries = (unsigned)n;
    else if ((v = soft_value(word, "max-sessions")) != NULL &&
             soft_number(v, &n))
        slot->max_sessions = (unsigned)n;
    else if ((v = soft_value(word, "at-a-time")) != NULL && soft_number(v, &n))
        slot->at_a_time = n;
    else if ((v = soft_value(word, "without")) != NULL && soft_number(v, &n) &&
             slot->n_without < SOFT_WITHOUT)
        slot->without[slot->n_without++] = n;
    else if ((v = soft_value(word, "counter")) != NULL && soft_number(v, &n))
        return soft_counter(slot, n);
    else if (strcmp(word, "not-without") == 0)
        slot->n_without = 0;
    else
        return false;
    return true;
}

static int tell_slot(char *words[], size_t n)
{
    struct soft_slot *slot;
    unsigned long which;
    size_t i;
    int ok = 1;

    if (n < 1 || !soft_number(words[0], &which))
        return 0;
    pthread_mutex_lock(&soft.lock);
    slot = slot_for(which);
    for (i = 1; i < n && ok; i++)
        ok = slot != NULL && (flag(slot, words[i]) || text(slot, words[i]) ||
                              number(slot, words[i]));
    if (slot != NULL && soft.up)
        soft_load(slot);
    pthread_mutex_unlock(&soft.lock);
    return ok && slot != NULL;
}

/* --- lines --- */

static size_t split(char *line, char *words[static WORDS])
{
    char *save, *word = strtok_r(line, " \t\n", &save);
    size_t n = 0;

    for (; word != NULL && n < WORDS && *word != '#'; n++) {
        words[n] = word;
        word = strtok_r(NULL, " \t\n", &save);
    }
    return n;
}

static int tell_module(char *words[], size_t n)
{
    const char *v;
    size_t i;

    for (i = 0; i < n; i++) {
        if ((v = soft_value(words[i], "description")) != NULL)
            snprintf(soft.description, sizeof(soft.description), "%s", v);
        else if (strcmp(words[i], "unaware") == 0)
            soft.unaware = true;
        else if (strcmp(words[i], "not-unaware") == 0)
            soft.unaware = false;
        else if (strcmp(words[i], "plain-eddsa") == 0)
            soft.plain_eddsa = true;
        else if (strcmp(words[i], "destroys-all") == 0)
            soft.destroys_all = true;
        else if (strcmp(words[i], "not-destroys-all") == 0)
            soft.destroys_all = false;
        else if (strcmp(words[i], "not-plain-eddsa") == 0)
            soft.plain_eddsa = false;
        else if (strcmp(words[i], "noisy") == 0)
            soft.noisy = true;
        else if (strcmp(words[i], "not-noisy") == 0)
            soft.noisy = false;
        else
            return 0;
    }
    return 1;
}

static int obey(char *words[], size_t n)
{
    if (strcmp(words[0], "module") == 0)
        return tell_module(words + 1, n - 1);
    if (strcmp(words[0], "slot") == 0)
        return tell_slot(words + 1, n - 1);
    if (strcmp(words[0], "on") == 0)
        return soft_tell_on(words + 1, n - 1);
    if (strcmp(words[0], "do") == 0)
        return soft_tell_do(words + 1, n - 1);
    if (n != 1)
        return 0;
    if (strcmp(words[0], "release") == 0)
        soft_release(false);
    else if (strcmp(words[0], "forget") == 0)
        soft_release(true);
    else
        return 0;
    return 1;
}

static int tell_line(const char *line)
{
    char *words[WORDS], copy[1024];
    size_t i, n;

    if (strlen(line) >= sizeof(copy))
        return 0;
    strcpy(copy, line);
    n = split(copy, words);
    for (i = 0; i < n; i++)
        unescape(words[i]);
    return n == 0 || obey(words, n);
}

static void forked(void)
{
    pthread_mutex_init(&soft.lock, NULL);
    if (soft.unaware)
        soft.pid = getpid();
    soft_fault_forked();
}

static void read_conf(void)
{
    const char *path = getenv("P11SOFT_CONF");
    FILE *f = path != NULL ? fopen(path, "r") : NULL;
    char line[1024];

    pthread_atfork(NULL, NULL, forked);
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        if (!tell_line(line))
            fprintf(stderr, "p11soft: %s: no such thing: %s", path, line);
    if (f != NULL)
        fclose(f);
    if (soft.slots == NULL)
        tell_line("slot 1");
}

void soft_configure(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, read_conf);
}

int soft_tell(const char *line)
{
    soft_configure();
    return tell_line(line);
}
