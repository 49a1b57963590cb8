/* SPDX-License-Identifier: Apache-2.0 */
/* Content-Type and Accept: does this name fit that field. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include <idevid/machine.h>

/* "type/subtype" of a field element that ends at end, blanks trimmed */
static struct idv_bytes essence(const char *p, const char *end)
{
    const char *semi = memchr(p, ';', (size_t)(end - p));
    if (semi)
        end = semi;
    while (p < end && isspace((unsigned char)*p))
        p++;
    while (end > p && isspace((unsigned char)end[-1]))
        end--;
    return idv_bytes(p, (size_t)(end - p));
}

static bool same(struct idv_bytes a, const char *b, size_t n)
{
    return a.n == n && strncasecmp((const char *)a.p, b, n) == 0;
}

bool idv_media_is(const char *media, const char *name)
{
    return same(essence(media, media + strlen(media)), name, strlen(name));
}

/* the name, its type followed by a star, or two stars */
static bool covers(struct idv_bytes range, const char *name)
{
    size_t type = strcspn(name, "/");
    if (same(range, "*/*", 3) || same(range, name, strcspn(name, "; ")))
        return true;
    return range.n == type + 2 && range.p[type] == '/' &&
           range.p[type + 1] == '*' &&
           strncasecmp((const char *)range.p, name, type) == 0;
}

/* the element has a parameter q that is zero in every digit */
static bool is_q0(const char *p, const char *end)
{
    while ((p = memchr(p, ';', (size_t)(end - p)))) {
        p++;
        while (p < end && isspace((unsigned char)*p))
            p++;
        if (end - p < 3 || (*p != 'q' && *p != 'Q') || p[1] != '=')
            continue;
        const char *v = p + 2;
        while (v < end && (*v == '0' || *v == '.'))
            v++;
        while (v < end && isspace((unsigned char)*v))
            v++;
        return v == end || *v == ';';
    }
    return false;
}

/* a range that names more than another decides over it */
static int weight(struct idv_bytes range)
{
    if (same(range, "*/*", 3))
        return 1;
    return range.n && range.p[range.n - 1] == '*' ? 2 : 3;
}

bool idv_accepts(const char *accept, const char *name)
{
    bool admitted = false;
    int best = 0;
    if (!accept[strspn(accept, " \t,")])
        return true;
    for (const char *p = accept; *p;) {
        const char *end = p + strcspn(p, ",");
        struct idv_bytes range = essence(p, end);
        if (covers(range, name) && weight(range) >= best) {
            admitted = !is_q0(p, end);
            best = weight(range);
        }
        p = *end ? end + 1 : end;
    }
    return admitted;
}
