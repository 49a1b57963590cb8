/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of idevid-factory that serve the people around a line. */
#ifndef FACTORY_PEOPLE_H
#define FACTORY_PEOPLE_H

#include "factory.h"

factory_verb factory_label;    /* factory_label.c */
factory_verb factory_roots;    /* factory_roots.c */
factory_verb factory_ek_fetch; /* factory_ekfetch.c */

extern const struct tool_option factory_label_options[],
    factory_roots_options[], factory_ek_fetch_options[];

#endif
