/* SPDX-License-Identifier: Apache-2.0 */
/* The file in which the agent says how far it is. */
#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <idevid/auto.h>
#include <idevid/codec.h>
#include <idevid/fs.h>
#include <idevid/text.h>

#include "agent.h"

static idv_rc put_time(struct idv_json *o, const char *name, int64_t at)
{
    char text[IDV_TIME_TEXT];
    if (at <= 0)
        return IDV_OK;
    IDV_TRY(idv_time_to_text(at, text));
    return tool_put_text(o, name, text);
}

static idv_rc put_copy(struct idv_json *o, const char *name,
                       const struct idv_json *value)
{
    IDV_AUTO(buf) text = {0};
    struct idv_json *copy = NULL;
    IDV_TRY(idv_json_dump(value, false, &text));
    IDV_TRY(idv_json_parse(idv_view(&text), 0, &copy));
    return idv_json_set(o, name, copy);
}

static idv_rc put_all(struct idv_json *o, const struct agent_state *s)
{
    IDV_TRY(tool_put_int(o, "pid", (uint64_t)getpid()));
    IDV_TRY(tool_put_text(o, "stage", s->stage));
    if (s->known)
        IDV_TRY(
            tool_put_text(o, "state", idv_trust_state_to_text(s->seen.state)));
    IDV_TRY(tool_put_text(o, "step", s->step));
    IDV_TRY(tool_put_text(o, "detail", s->detail));
    if (s->candidates)
        IDV_TRY(put_copy(o, "candidates", s->candidates));
    IDV_TRY(put_time(o, "next", s->next));
    IDV_TRY(tool_put_int(o, "failures", s->failures));
    IDV_TRY(tool_put_text(o, "last-failure", s->failure));
    return put_time(o, "last-failure-at", s->failed_at);
}

static idv_rc make_parent(const char *path)
{
    char copy[1024];
    IDV_TRY(idv_text_copy(copy, sizeof(copy), idv_str(path), "state-file"));
    return idv_fs_mkdir(dirname(copy), 0755);
}

idv_rc agent_state_write(const char *path, const struct agent_state *s)
{
    IDV_AUTO_PTR(idv_json) o = idv_json_new_object();
    IDV_AUTO(buf) text = {0};
    if (!o)
        return idv_fail(IDV_E_NOMEM, "out of memory");
    IDV_TRY(put_all(o, s));
    IDV_TRY(idv_json_dump(o, false, &text));
    IDV_TRY(make_parent(path));
    return idv_fs_write(path, idv_view(&text), 0644);
}

/* Is that process there still, or was the file left by one that was killed? */
static bool alive(const struct idv_json *o)
{
    int64_t pid;
    if (idv_json_int(idv_json_get(o, "pid"), "pid", &pid) != IDV_OK) {
        idv_note_clear();
        return false;
    }
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

idv_rc agent_state_read(const char *path, struct idv_json **out)
{
    IDV_AUTO(buf) text = {0};
    IDV_AUTO_PTR(idv_json) o = NULL;
    if (!path || !idv_fs_exists(path))
        return IDV_OK;
    IDV_TRY(idv_fs_read(path, 0, &text));
    IDV_TRY(idv_json_parse(idv_view(&text), 0, &o));
    if (alive(o))
        *out = idv_steal(&o);
    return IDV_OK;
}
