/* SPDX-License-Identifier: Apache-2.0 */
/* What people see of a run. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <idevid/codec.h>

#include "factory_progress.h"

void progress_begin(struct progress *p, const struct tool *t, const char *order,
                    uint64_t total)
{
    *p = (struct progress){.t = t,
                           .order = order,
                           .total = total,
                           .begun = tool_ms(),
                           .terminal =
                               !t->json && !t->quiet && isatty(STDERR_FILENO)};
}

static void wipe(struct progress *p)
{
    if (p->terminal && p->drawn)
        fprintf(stderr, "\r%*s\r", (int)p->drawn, "");
    p->drawn = 0;
}

/* Devices in an hour, of those that took work. */
static uint64_t rate(const struct progress *p)
{
    const int64_t ms = tool_ms() - p->begun;
    return ms > 0 ? p->done * 3600000u / (uint64_t)ms : 0;
}

static int left(const struct progress *p, char *out, size_t room)
{
    const uint64_t gone = p->done + p->kept + p->failed;
    const uint64_t hourly = rate(p);
    if (p->total <= gone || !hourly)
        return 0;
    const uint64_t s = (p->total - gone) * 3600 / hourly;
    return s < 120 ? snprintf(out, room, ", %llu s left", (unsigned long long)s)
                   : snprintf(out, room, ", %llu min left",
                              (unsigned long long)((s + 59) / 60));
}

void progress_draw(struct progress *p)
{
    char rest[48] = "", of[32] = "";
    if (!p->terminal)
        return;
    if (p->total)
        snprintf(of, sizeof(of), " of %llu", (unsigned long long)p->total);
    left(p, rest, sizeof(rest));
    wipe(p);
    const int n =
        fprintf(stderr, "%s%s%llu%s done, %llu failed, %llu at work, %llu/h%s",
                p->order ? p->order : "", p->order ? ": " : "",
                (unsigned long long)(p->done + p->kept), of,
                (unsigned long long)p->failed, (unsigned long long)p->running,
                (unsigned long long)rate(p), rest);
    p->drawn = n > 0 ? (size_t)n : 0;
    fflush(stderr);
}

static const char *text(const struct idv_json *o, const char *name)
{
    const char *v = idv_json_text(idv_json_get(o, name));
    return v ? v : "";
}

static uint64_t number(const struct idv_json *o, const char *name)
{
    int64_t v = 0;
    if (idv_json_int(idv_json_get(o, name), name, &v) != IDV_OK)
        idv_note_clear();
    return v > 0 ? (uint64_t)v : 0;
}

static void tell_done(const struct progress *p, const struct idv_json *e)
{
    const uint64_t calls =
        number(e, "calls-look") + number(e, "calls-request") +
        number(e, "calls-install") + number(e, "calls-locks") +
        number(e, "calls-lockdown") + number(e, "calls-self-test");
    tool_say(p->t, "%-16s %-24s done     %llu.%03llu s, %llu device calls",
             text(e, "fixture"), text(e, "serial-number"),
             (unsigned long long)(number(e, "ms") / 1000),
             (unsigned long long)(number(e, "ms") % 1000),
             (unsigned long long)calls);
}

/* A failure is two lines: what was wrong, and what to do about it. */
static void tell_failed(const struct progress *p, const struct idv_json *e)
{
    if (p->t->json)
        return;
    printf("%-16s %-24s failed   %s: %s\n", text(e, "fixture"),
           text(e, "serial-number"), text(e, "why"), text(e, "note"));
    if (*text(e, "advice"))
        printf("%-16s %-24s          %s\n", "", "", text(e, "advice"));
    fflush(stdout);
}

void progress_event(struct progress *p, const struct idv_json *e)
{
    const char *event = text(e, "event");
    wipe(p);
    if (strcmp(event, "done") == 0) {
        p->done++;
        tell_done(p, e);
    } else if (strcmp(event, "kept") == 0) {
        p->kept++;
        tool_say(p->t, "%-16s %-24s has its IDevID already", text(e, "fixture"),
                 text(e, "serial-number"));
    } else if (strcmp(event, "failed") == 0) {
        p->failed++;
        tell_failed(p, e);
    } else if (strcmp(event, "waiting") == 0) {
        tool_say(p->t, "%-16s %-24s waits    %s", text(e, "fixture"),
                 text(e, "serial-number"), text(e, "note"));
    }
    progress_draw(p);
}

void progress_died(struct progress *p, const char *fixture, const char *how)
{
    wipe(p);
    p->failed++;
    if (!p->t->json)
        printf("%-16s %-24s failed   %s\n", fixture, "", how);
    progress_draw(p);
}

void progress_end(struct progress *p)
{
    const int64_t ms = tool_ms() - p->begun;
    wipe(p);
    tool_say(p->t,
             "%llu done, %llu had theirs already, %llu failed in %lld.%lld s, "
             "%llu an hour",
             (unsigned long long)p->done, (unsigned long long)p->kept,
             (unsigned long long)p->failed, (long long)(ms / 1000),
             (long long)(ms % 1000 / 100), (unsigned long long)rate(p));
}
