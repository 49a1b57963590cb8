/* SPDX-License-Identifier: Apache-2.0 */
/* Who is at the other end of a unix socket, and may they ask? */
#include "config.h"

#include <sys/socket.h>
#include <unistd.h>

#include "net/server_int.h"

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif
#define MAX_GROUPS 1024 /* of more, those beyond do not count */

/* the supplementary groups, as they were when it connected */
static bool is_member(int fd, gid_t group)
{
    gid_t groups[MAX_GROUPS];
    socklen_t n = sizeof(groups);
    if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &n) != 0)
        return false;
    for (size_t i = 0; i < n / sizeof(*groups); i++) {
        if (groups[i] == group)
            return true;
    }
    return false;
}

bool idvi_local_peer(int fd, gid_t group, struct idvi_local_peer *out)
{
    struct ucred who = {0, (uid_t)-1, (gid_t)-1};
    socklen_t n = sizeof(who);
    bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n) == 0 &&
                 n == sizeof(who);
    *out = (struct idvi_local_peer){who.uid, who.gid};
    if (!known)
        return false;
    if (who.uid == 0 || who.uid == geteuid())
        return true;
    return group && (who.gid == group || is_member(fd, group));
}
