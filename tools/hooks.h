/* SPDX-License-Identifier: Apache-2.0 */
/* Programs of the administrator that are run when something has happened. */
#ifndef TOOL_HOOKS_H
#define TOOL_HOOKS_H

#include <idevid/env.h>

/*
 * The directory's executable files, in the order of their names, one after the
 * other, without a shell: hidden ones and those a package manager or an editor
 * left (NAME~, NAME.dpkg-*, NAME.rpm*) are none. Each must be a regular file
 * of root (or of who runs this), and neither it nor the directory may be
 * writable by others; one that is not so is refused and named. It gets the
 * given environment (NULL-ended) and nothing else, no input, and its output
 * goes to standard error. After so many seconds it is killed with all it
 * started in its group. What goes wrong is logged and stops nothing; returns
 * how many failed. A directory that is not there has none.
 */
int tool_hooks_run(const struct idv_env *env, const char *dir, int seconds,
                   char *const *environment);

#endif
