/* SPDX-License-Identifier: Apache-2.0 */
/* order: a work order into the book, and the ticket of a line without a
 * network. */
#include <string.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>

#include "factory.h"
#include "factory_line.h"

#define ORDER_MAX ((size_t)256 << 20)

static idv_rc ticket_put(struct idv_json *o, const struct idv_order *order,
                         const uint8_t challenge[IDV_FACTORY_CHALLENGE])
{
    IDV_TRY(tool_put_text(o, "order", order->id));
    IDV_TRY(tool_put_int(o, "devices", order->n));
    return idv_json_set(
        o, "challenge",
        idv_json_new_base64(idv_bytes(challenge, IDV_FACTORY_CHALLENGE)));
}

/* For stations that no network leads to; it is good as long as any other
 * challenge. */
static idv_rc ticket_write(struct line *l, const struct idv_order *order)
{
    uint8_t challenge[IDV_FACTORY_CHALLENGE];
    enum idv_factory_why why;
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(l->desk.challenge(l->desk.self, order->id, challenge, &why));
    IDV_TRY(ticket_put(o, order, challenge));
    IDV_TRY(idv_json_dump(o, true, &text));
    return tool_write(opt.out, idv_view(&text));
}

static idv_rc add(struct tool *t, struct line *l, const char *path)
{
    struct idv_order *order = NULL;
    IDV_AUTO(buf) text = {.max = ORDER_MAX};
    IDV_TRY(idv_fs_read(path, ORDER_MAX, &text));
    idv_rc rc = idv_order_parse(idv_view(&text), &order);
    if (rc != IDV_OK)
        return idv_fail_within(rc, "%s", path);
    rc = l->store.order_add(l->store.self, order, idv_now(t->env));
    if (rc == IDV_OK && opt.out)
        rc = ticket_write(l, order);
    if (rc == IDV_OK && !(opt.out && strcmp(opt.out, "-") == 0))
        tool_say(t, "order %s: %zu devices, %s to %s", order->id, order->n,
                 order->devices[0].serial_number,
                 order->devices[order->n - 1].serial_number);
    idv_order_free(order);
    return rc;
}

idv_rc factory_order(struct tool *t, int argc, char **argv)
{
    struct line l;
    (void)argc;
    opt.dir = argv[0];
    IDV_TRY(factory_configured());
    /* a ticket is the desk's to give */
    idv_rc rc = opt.out ? line_open(t, &factory_conf, &l)
                        : line_open_book(t, &factory_conf, &l);
    if (rc == IDV_OK)
        rc = add(t, &l, argv[1]);
    line_close(&l);
    return rc;
}

const struct tool_option factory_order_options[] = {
    {"out", 'o', "FILE", "also a ticket for a station without a network",
     &opt.out, NULL, NULL},
    {0}};
