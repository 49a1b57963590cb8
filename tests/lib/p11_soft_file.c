/* SPDX-License-Identifier: Apache-2.0 */
/* Token objects of the test's PKCS#11 module in a file: for each a line
 * "object UID", one "TYPE VALUE" per attribute, all in hexadecimal, and a line
 * "end". */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/p11_soft_int.h"

/* --- writing --- */

static void write_object(FILE *f, const struct soft_object *o)
{
    size_t i, j;

    fprintf(f, "object %" PRIx64 "\n", o->uid);
    for (i = 0; i < o->n; i++) {
        fprintf(f, "%lx ", o->a[i].type);
        for (j = 0; j < o->a[i].n; j++)
            fprintf(f, "%02x", o->a[i].p[j]);
        fputc('\n', f);
    }
    fputs("end\n", f);
}

/* is the file as it was when it was read or written last? */
static bool unchanged(struct soft_slot *slot, bool note)
{
    struct stat st;
    bool same;

    if (stat(slot->file, &st) != 0)
        return true;
    same = st.st_size == slot->file_size && st.st_ino == slot->file_ino &&
           st.st_mtim.tv_sec == slot->file_time.tv_sec &&
           st.st_mtim.tv_nsec == slot->file_time.tv_nsec;
    if (note) {
        slot->file_size = st.st_size;
        slot->file_ino = st.st_ino;
        slot->file_time = st.st_mtim;
    }
    return same;
}

void soft_save(struct soft_slot *slot)
{
    const struct soft_object *o;
    char path[sizeof(slot->file) + 16];
    FILE *f;

    if (slot->file[0] == 0)
        return;
    snprintf(path, sizeof(path), "%s.%d", slot->file, (int)getpid());
    f = fopen(path, "w");
    if (f == NULL)
        return;
    for (o = slot->objects; o != NULL; o = o->next)
        if (o->owner == 0)
            write_object(f, o);
    fclose(f);
    if (rename(path, slot->file) != 0)
        unlink(path);
    (void)unchanged(slot, true);
}

/* --- reading --- */

static struct soft_object *by_uid(struct soft_slot *slot, uint64_t uid)
{
    struct soft_object *o;

    for (o = slot->objects; o != NULL; o = o->next)
        if (o->owner == 0 && o->uid == uid)
            return o;
    return NULL;
}

static bool read_attribute(struct soft_object *o, char *line)
{
    char *hex = strchr(line, ' ');
    uint8_t *bytes;
    size_t i, n;
    bool ok;

    if (hex == NULL)
        return false;
    n = strspn(++hex, "0123456789abcdef") / 2;
    bytes = malloc(n + 1);
    for (i = 0; bytes != NULL && i < n; i++) {
        char two[3] = {hex[2 * i], hex[2 * i + 1], 0};

        bytes[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    ok = bytes != NULL && soft_set(o, strtoul(line, NULL, 16), bytes, n);
    free(bytes);
    return ok;
}

/* takes over what the file has; an object that is known keeps its handle */
static void read_objects(struct soft_slot *slot, FILE *f,
                         struct soft_object **kept)
{
    struct soft_object *o = NULL;
    char *line = NULL;
    size_t room = 0;
    uint64_t uid;

    while (getline(&line, &room, f) > 0) {
        if (sscanf(line, "object %" SCNx64, &uid) == 1) {
            o = calloc(1, sizeof(*o));
            if (o != NULL)
                o->uid = uid;
        } else if (o != NULL && strncmp(line, "end", 3) == 0) {
            struct soft_object *known = by_uid(slot, uid);

            o->slot = slot;
            o->h = known != NULL ? known->h : ++soft.last_object;
            *kept = o;
            kept = &o->next;
            o = NULL;
        } else if (o != NULL) {
            (void)read_attribute(o, line);
        }
    }
    soft_object_free(o);
    free(line);
}

void soft_load(struct soft_slot *slot)
{
    struct soft_object *fresh = NULL, *o, *next, **at;
    FILE *f;

    if (slot->file[0] == 0 || unchanged(slot, false))
        return;
    f = fopen(slot->file, "r");
    if (f == NULL)
        return;
    read_objects(slot, f, &fresh);
    fclose(f);
    (void)unchanged(slot, true);
    for (at = &fresh; *at != NULL; at = &(*at)->next)
        ;
    for (o = slot->objects; o != NULL; o = next) {
        next = o->next;
        if (o->owner != 0) { /* of a session: stays */
            o->next = NULL;
            *at = o;
            at = &o->next;
        } else {
            soft_object_free(o);
        }
    }
    slot->objects = fresh;
}
