/* SPDX-License-Identifier: Apache-2.0 */
/* A question that somebody has to answer before something happens. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "confirm.h"

static bool ask(const char *question, const char *word)
{
    char line[64] = "";
    FILE *tty = fopen("/dev/tty", "r+e");
    if (!tty)
        return false;
    fprintf(tty, "%s\nType %s to go on: ", question, word);
    fflush(tty);
    if (!fgets(line, sizeof(line), tty))
        line[0] = 0;
    fclose(tty);
    line[strcspn(line, "\r\n")] = 0;
    return strcmp(line, word) == 0;
}

idv_rc tool_confirm(const char *question, const char *word, bool option,
                    const char *what)
{
    if (!isatty(STDIN_FILENO)) {
        if (option)
            return IDV_OK;
        return idv_fail(IDV_E_REJECT,
                        "nobody to ask: standard input is no terminal, and %s "
                        "is not given",
                        what);
    }
    if (ask(question, word))
        return IDV_OK;
    return idv_fail(IDV_E_REJECT, "not confirmed, nothing was changed");
}
