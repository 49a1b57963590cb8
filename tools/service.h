/* SPDX-License-Identifier: Apache-2.0 */
/* What the two services do the same way: listen, say so, stop. */
#ifndef TOOL_SERVICE_H
#define TOOL_SERVICE_H

#include <idevid/json.h>
#include <idevid/machine.h>

#include "idevid/net/server.h"
#include "tool.h"

struct service {
    struct tool *tool;
    char **listen; /* of the configuration */
    const char *admin_path;
    int64_t workers, max_connections;
    bool ask_client_cert;
    idv_rc (*make)(void *arg, struct idv_server_worker *worker);
    void *arg;
};

/*
 * Serves until told to stop. Once it listens it prints one JSON line for each
 * address, {"event":"listening","address":...,"port":...}, and tells systemd
 * (NOTIFY_SOCKET). Sockets handed in (LISTEN_FDS) are used instead of listen.
 * A port in use ends with exit code 4.
 */
idv_rc service_run(const struct service *s) IDV_CHECKED;

#endif
