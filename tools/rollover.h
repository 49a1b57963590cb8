/* SPDX-License-Identifier: Apache-2.0 */
/* A new domain CA beside the old one, each signing for the other. */
#ifndef TOOL_ROLLOVER_H
#define TOOL_ROLLOVER_H

#include "tool.h"

/*
 * Root CA key update (RFC 4210 section 4.4) of what "init" made in dir and in
 * the token: a new key domain-ca-N, its certificates in DIR/domain-ca-N.pem in
 * the order NewWithNew, NewWithOld, OldWithNew, OldWithOld and those before
 * these, as cacerts answers them (at most IDV_MAX_CHAIN: the oldest are left
 * out); and DIR/registrar-N.pem, a certificate of the new CA for the
 * registrar's key with the names it has, and NewWithOld behind it, so that
 * devices that know only the old CA follow. What was cut is completed. type may
 * be NULL: P-256.
 */
idv_rc tool_rollover(struct tool *t, const char *token_uri, const char *dir,
                     const char *type) IDV_CHECKED;

#endif
