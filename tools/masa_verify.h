/* SPDX-License-Identifier: Apache-2.0 */
/* idevid-masa's commands about the transparency log. */
#ifndef TOOL_MASA_VERIFY_H
#define TOOL_MASA_VERIFY_H

#include "idevid/db/db.h"
#include "tool.h"

extern const struct tool_option masa_verify_options[];
idv_rc masa_verify_log(struct tool *t, int argc, char **argv) IDV_CHECKED;

/* What is looked at, and by whose word. */
#define VERIFY_POINTS 3
struct verify {
    struct tool *t;
    EVP_PKEY *keys[TOOL_LIST_MAX + 1]; /* NULL-ended */
    struct idv_tree_head kept, other;  /* size 0: none */
    struct idv_tree tree;              /* of the entries read so far */
    /* heads whose root the entries must have at their size */
    struct point {
        const struct idv_tree_head *head;
        const char *what;
    } points[VERIFY_POINTS];
    size_t n_points;
};

/* Entries one after the other. IDV_E_REJECT names the head
 * that they do not agree with. */
idv_rc verify_entry(struct verify *v, const struct idv_log_entry *e,
                    struct idv_hash made[static IDV_TREE_LEVELS],
                    size_t *n) IDV_CHECKED;
idv_rc verify_point(const struct verify *v, const struct idv_tree_head *head,
                    const char *what) IDV_CHECKED;

/* masa_verify_db.c, masa_verify_net.c: *head is the newest, item its bytes. */
idv_rc verify_database(struct verify *v, const char *url,
                       struct idv_tree_head *head,
                       struct idv_buf *item) IDV_CHECKED;
struct verify_server {
    const char *url, *anchors;
    bool quick; /* heads only */
};
idv_rc verify_server(struct verify *v, const struct verify_server *s,
                     struct idv_tree_head *head,
                     struct idv_buf *item) IDV_CHECKED;

#endif
