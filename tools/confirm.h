/* SPDX-License-Identifier: Apache-2.0 */
/* A question that somebody has to answer before something happens. */
#ifndef TOOL_CONFIRM_H
#define TOOL_CONFIRM_H

#include <stdbool.h>

#include <idevid/err.h>

/*
 * Asks on the terminal whether to go on, and wants the word typed. Where
 * standard input is no terminal nobody is asked: option stands for the answer.
 * IDV_E_REJECT: another answer, none, or no terminal and no option (what names
 * the option).
 */
idv_rc tool_confirm(const char *question, const char *word, bool option,
                    const char *what) IDV_CHECKED;

#endif
