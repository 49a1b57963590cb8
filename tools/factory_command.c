/* SPDX-License-Identifier: Apache-2.0 */
/* Running another program, without a shell. */
#include <errno.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <idevid/auto.h>
#include <idevid/text.h>

#include "factory_device.h"

extern char **environ;

/* The next word; quotes (either) keep blanks in it. */
static idv_rc next_word(struct idv_bytes *rest, char ***words)
{
    IDV_AUTO(buf) word = {0};
    uint8_t quote = 0;
    *rest = idv_text_trim(*rest);
    while (rest->n && (quote || !memchr(" \t", *rest->p, 2))) {
        const uint8_t c = *rest->p;
        if (quote ? c == quote : c == '"' || c == '\'')
            quote = quote ? 0 : c;
        else
            IDV_TRY(idv_buf_put(&word, idv_bytes(rest->p, 1)));
        *rest = idv_bytes(rest->p + 1, rest->n - 1);
    }
    if (quote)
        return idv_fail(IDV_E_ARG, "command: a quote is not closed");
    return idv_list_add(words, idv_view(&word));
}

static idv_rc run(char **words)
{
    pid_t pid;
    int status = 0;
    const int err = posix_spawnp(&pid, words[0], NULL, NULL, words, environ);
    if (err)
        return idv_fail(IDV_E_IO, "%s: %s", words[0], strerror(err));
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR)
            return idv_fail(IDV_E_IO, "%s: %s", words[0], strerror(errno));
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return IDV_OK;
    return WIFSIGNALED(status) ? idv_fail(IDV_E_IO, "%s: ended by signal %d",
                                          words[0], WTERMSIG(status))
                               : idv_fail(IDV_E_IO, "%s: ended with %d",
                                          words[0], WEXITSTATUS(status));
}

idv_rc device_command(const char *command)
{
    struct idv_bytes rest = idv_str(command);
    char **words = NULL;
    idv_rc rc = IDV_OK;
    while (rc == IDV_OK && idv_text_trim(rest).n)
        rc = next_word(&rest, &words);
    if (rc == IDV_OK && !words)
        rc = idv_fail(IDV_E_ARG, "command: there is none");
    if (rc == IDV_OK)
        rc = run(words);
    idv_list_free(words);
    return rc;
}
