/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-device: what is in this TPM or token; changes nothing in it. */
#include <stdio.h>
#include <string.h>

#include <idevid/auto.h>
#include <idevid/trust.h>

#include "device_anchor.h"
#include "tool.h"

static struct {
    const char *out, *anchor;
} opt;

static const char *type_word(enum idv_object_type type)
{
    switch (type) {
    case IDV_OBJ_PRIVATE:
        return "private-key";
    case IDV_OBJ_PUBLIC:
        return "public-key";
    case IDV_OBJ_CERT:
        return "certificate";
    case IDV_OBJ_DATA:
        return "data";
    case IDV_OBJ_COUNTER:
        return "counter";
    }
    return "unknown";
}

/* --- show --------------------------------------------------------------------
 */

static idv_rc object_json(const struct idv_object *object, const char *subject,
                          struct idv_json *array)
{
    struct idv_json *o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    idv_rc rc = tool_put_text(o, "type", type_word(object->type));
    if (rc == IDV_OK)
        rc = tool_put_text(o, "uri", object->uri);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "label", object->label);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "algorithm", object->algorithm);
    if (rc == IDV_OK)
        rc = tool_put_text(o, "subject", subject);
    if (rc == IDV_OK && object->size)
        rc = idv_json_set(o, "size", idv_json_new_int((int64_t)object->size));
    if (rc == IDV_OK && object->attributes)
        rc =
            idv_json_set(o, "attributes", idv_json_new_int(object->attributes));
    if (rc == IDV_OK)
        rc = idv_json_set(o, "write-locked",
                          idv_json_new_bool(object->write_locked));
    if (rc == IDV_OK && object->type == IDV_OBJ_PRIVATE)
        rc = idv_json_set(o, "never-extractable",
                          idv_json_new_bool(object->never_extractable));
    if (rc != IDV_OK) {
        idv_json_free(o);
        return rc;
    }
    return idv_json_append(array, o);
}

/* Whose certificate; "" for anything else. */
static void subject_of(struct idv_device *dev, const struct idv_object *object,
                       char out[static 256])
{
    IDV_AUTO(buf) der = {0};
    IDV_AUTO_PTR(X509) cert = NULL;
    bool found = false;
    out[0] = 0;
    if (object->type != IDV_OBJ_CERT)
        return;
    if (idv_device_read(dev, object->uri, &found, &der) == IDV_OK && found &&
        idv_cert_from_der(idv_view(&der), &cert) == IDV_OK)
        snprintf(out, 256, "%s", idv_cert_subject(cert));
    idv_note_clear();
}

static void object_line(const struct idv_object *object, const char *subject)
{
    printf("  %-12s %-10s %s", type_word(object->type),
           *object->algorithm ? object->algorithm : "-", object->uri);
    if (*subject)
        printf("\n%26s%s", "", subject);
    if (object->size && object->type != IDV_OBJ_CERT)
        printf(" (%zu bytes)", object->size);
    if (object->write_locked)
        printf(" [locked]");
    if (object->type == IDV_OBJ_PRIVATE && !object->never_extractable)
        printf(" [EXTRACTABLE]");
    putchar('\n');
}

struct collected {
    struct idv_object *v;
    size_t n, cap;
    idv_rc rc;
};

static bool collect(void *arg, const struct idv_object *object)
{
    struct collected *c = arg;
    if (c->n == c->cap) {
        size_t cap = c->cap ? 2 * c->cap : 16;
        struct idv_object *v = realloc(c->v, cap * sizeof(*v));
        if (!v) {
            c->rc = idv_fail(IDV_E_NOMEM, "out of memory");
            return false;
        }
        c->v = v;
        c->cap = cap;
    }
    c->v[c->n++] = *object;
    return true;
}

static idv_rc info_json(const struct idv_device_info *i, struct idv_json *o)
{
    IDV_TRY(tool_put_text(o, "kind", i->tpm ? "tpm2" : "pkcs11"));
    IDV_TRY(tool_put_text(o, "maker", i->maker));
    IDV_TRY(tool_put_text(o, "model", i->model));
    IDV_TRY(tool_put_text(o, "label", i->label));
    IDV_TRY(tool_put_text(o, "serial", i->serial));
    IDV_TRY(tool_put_text(o, "firmware", i->firmware));
    IDV_TRY(idv_json_set(o, "in-lockout", idv_json_new_bool(i->in_lockout)));
    if (i->nv_max)
        return idv_json_set(o, "nv-max", idv_json_new_int((int64_t)i->nv_max));
    return IDV_OK;
}

static void info_lines(const struct idv_device_info *i)
{
    printf("%s\n", i->tpm ? "TPM 2.0" : "PKCS#11 token");
    if (*i->label)
        printf("  label      %s\n", i->label);
    printf("  maker      %s\n", *i->maker ? i->maker : "-");
    printf("  model      %s\n", *i->model ? i->model : "-");
    if (*i->serial)
        printf("  serial     %s\n", i->serial);
    if (*i->firmware)
        printf("  firmware   %s\n", i->firmware);
    if (i->in_lockout)
        printf("  LOCKED     %s\n",
               i->tpm ? "in dictionary-attack lockout" : "the PIN is locked");
}

static idv_rc show_objects(struct tool *t, struct idv_device *dev,
                           const struct collected *c, struct idv_json *array)
{
    char subject[256];
    if (!t->json)
        printf(c->n ? "objects:\n" : "objects: none\n");
    for (size_t i = 0; i < c->n; i++) {
        subject_of(dev, &c->v[i], subject);
        if (t->json)
            IDV_TRY(object_json(&c->v[i], subject, array));
        else
            object_line(&c->v[i], subject);
    }
    return IDV_OK;
}

static idv_rc show_open(struct tool *t, struct idv_device *dev,
                        struct collected *c, struct idv_json *root)
{
    struct idv_device_info info;
    IDV_TRY(idv_device_info(dev, &info));
    IDV_TRY(idv_device_list(dev, collect, c));
    IDV_TRY(c->rc);
    if (t->json)
        IDV_TRY(info_json(&info, root));
    else
        info_lines(&info);
    struct idv_json *array = NULL;
    if (t->json) {
        array = idv_json_new_array();
        IDV_TRY(idv_json_set(root, "objects", array));
    }
    IDV_TRY(show_objects(t, dev, c, array));
    return device_anchor(t, dev, opt.anchor, root);
}

static idv_rc show(struct tool *t, int argc, char **argv)
{
    struct idv_device *dev = NULL;
    struct collected c = {0};
    struct idv_json *root = NULL;
    const char *uri = argc ? argv[0] : "tpm2:";
    IDV_TRY(idv_device_open(uri, &tool_pin, &dev));
    if (t->json)
        root = idv_json_new_object();
    idv_rc rc = show_open(t, dev, &c, root);
    free(c.v);
    idv_device_close(dev);
    if (rc == IDV_OK && t->json)
        return tool_print_json(root);
    idv_json_free(root);
    return rc;
}

/* --- cert, wrap --------------------------------------------------------- */

static idv_rc cert(struct tool *t, int argc, char **argv)
{
    IDV_AUTO_PTR(idv_certs) certs = NULL;
    IDV_AUTO(buf) pem = {0};
    (void)t;
    (void)argc;
    IDV_TRY(idv_certs_open(argv[0], &tool_pin, &certs));
    IDV_TRY(idv_certs_to_pem(certs, &pem));
    return tool_write(opt.out, idv_view(&pem));
}

static idv_rc wrap(struct tool *t, int argc, char **argv)
{
    IDV_AUTO(buf) pem = {0};
    (void)t;
    (void)argc;
    IDV_TRY(idv_key_wrap(argv[0], &pem));
    return tool_write(opt.out, idv_view(&pem));
}

/* --- tables ------------------------------------------------------------- */

static const struct tool_option show_options[] = {
    {"anchor", 0, "URI", "where the trust anchor record is", &opt.anchor, NULL,
     NULL},
    {0}};

static const struct tool_option out_options[] = {
    {"out", 'o', "FILE", "where to (default: standard output)", &opt.out, NULL,
     NULL},
    {0}};

static const struct tool_verb verbs[] = {
    {"show", "[URI]", "what the TPM (tpm2:) or token (pkcs11:token=...) holds",
     0, 1, show_options, show, false},
    {"cert", "URI", "print the certificate that URI names, as PEM", 1, 1,
     out_options, cert, false},
    {"wrap", "URI", "print a key file for programs that only take files", 1, 1,
     out_options, wrap, false},
    {0}};

int main(int argc, char **argv)
{
    static const struct tool_option none[] = {{0}};
    static struct tool t = {
        .name = "idevid-device",
        .about = "Shows what is in a TPM 2.0 or PKCS#11 token. Read-only.",
        .verbs = verbs,
        .options = none,
        .environment = TOOL_DEVICE_ENVIRONMENT,
    };
    return tool_main(&t, argc, argv);
}
