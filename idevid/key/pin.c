/* SPDX-License-Identifier: Apache-2.0 */
/* The PIN callback in the shape that OSSL_STORE asks through. */
#include <pthread.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/ui.h>

#include "key/key.h"

#define PIN_MAX 256

/* "Enter pass phrase for token 'x':" without what libcrypto put around */
static void what_for(const char *prompt, char *out, size_t room)
{
    static const char head[] = "Enter pass phrase for ";
    if (strncmp(prompt, head, sizeof(head) - 1) == 0)
        prompt += sizeof(head) - 1;
    snprintf(out, room, "%s", prompt);
    size_t n = strlen(out);
    if (n && out[n - 1] == ':')
        out[n - 1] = 0;
}

static int read_pin(UI *ui, UI_STRING *string)
{
    const struct idv_pin *pin = UI_get0_user_data(ui);
    char what[160], text[PIN_MAX + 1] = {0};
    size_t n = 0;
    if (UI_get_string_type(string) != UIT_PROMPT)
        return 1;
    what_for(UI_get0_output_string(string), what, sizeof(what));
    bool got = pin && pin->get && pin->get(pin->arg, what, text, PIN_MAX, &n);
    int ok =
        got && n <= PIN_MAX && UI_set_result_ex(ui, string, text, (int)n) == 0;
    OPENSSL_cleanse(text, sizeof(text));
    return ok ? 1 : -1;
}

static UI_METHOD *method;

static void make_method(void)
{
    method = UI_create_method("idevid PIN");
    if (method && UI_method_set_reader(method, read_pin) != 0) {
        UI_destroy_method(method);
        method = NULL;
    }
}

UI_METHOD *idvi_pin_ui(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    return method;
}
