/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin of an application that uses a key of a token, and leaves. */
#ifndef P11_PLUGIN_H
#define P11_PLUGIN_H

/* dlsym() these by their names. plugin_begin loads the providers in the order
 * ("dh": default, then hwkey from dir) into the default library context or one
 * of its own, opens the key and signs. 1 or 0. */
typedef int plugin_begin_fn(const char *order, const char *dir, const char *uri,
                            int own_context);
typedef int plugin_sign_fn(void);
/* Makes a P-256 key at uri, in the default library context. */
typedef int plugin_make_fn(const char *dir, const char *uri);
typedef void plugin_end_fn(void); /* plugin_free_key, plugin_unload */

#endif
