#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A PostgreSQL server of a test's own, behind a unix socket in a directory that
# is its own as well; it ends when its owner does, at the latest:
#   postgresql.sh start PID         prints its directory; 77 where there is none
#   postgresql.sh url DIR [SCHEMA]  prints the URL, of a new schema
#   postgresql.sh sql DIR SQL       runs that
#   postgresql.sh load DIR FILE     runs a file's statements in the newest schema
#   postgresql.sh halt DIR          ends it as a crash would
#   postgresql.sh go DIR            starts it again
#   postgresql.sh stop DIR          ends it and removes the directory
# As root, the server runs as the user postgres: it insists on not being root.
set -e

bin=$(pg_config --bindir 2> /dev/null) || exit 77
[ -x "$bin/initdb" ] && [ -x "$bin/pg_ctl" ] || exit 77
as=()
if [ "$(id -u)" = 0 ]; then
    id postgres > /dev/null 2>&1 || exit 77
    as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi
verb=$1 dir=$2

# as_owner COMMAND ...: away from what may be the caller's alone
as_owner() {
    (cd / && exec env LC_ALL=C "${as[@]}" "$@")
}

# IDEVID_PG_SAFE: as a real one, that waits for the disk
go() {
    local fsync=off
    [ -z "${IDEVID_PG_SAFE:-}" ] || fsync=on
    as_owner "$bin/pg_ctl" -s -w -t 120 -D "$dir/data" -l "$dir/log" -o "-k $dir \
-c listen_addresses= -c fsync=$fsync -c wal_writer_delay=10s -c max_connections=60 \
-c shared_buffers=16MB -c autovacuum=off" start > /dev/null ||
        { cat "$dir/log" >&2; exit 1; }
}

halt() {
    as_owner "$bin/pg_ctl" -s -w -t 120 -D "$dir/data" -m immediate stop \
        > /dev/null
}

sql() {
    PGOPTIONS="-c client_min_messages=warning" \
        psql -X -q -A -t -v ON_ERROR_STOP=1 -d "postgresql://idevid@/postgres?host=$dir" \
        -c "$1"
}

case $verb in
start)
    dir=$(mktemp -d "${TMPDIR:-/tmp}/idevid-pg.XXXXXX")
    [ "$(id -u)" != 0 ] || chown postgres "$dir"
    as_owner "$bin/initdb" -N -A trust -U idevid -E UTF8 --locale=C \
        -D "$dir/data" > "$dir/initdb.log" 2>&1 ||
        { cat "$dir/initdb.log" >&2; exit 1; }
    go
    setsid "$BASH" "$0" watch "$dir" "$2" < /dev/null > /dev/null 2>&1 &
    echo "$dir"
    ;;
watch)
    tail --pid="$3" -f /dev/null &
    echo $! > "$dir/watcher"
    # ended by stop, or because the owner is gone
    if wait $! && [ -f "$dir/data/postmaster.pid" ]; then
        halt
        rm -r "$dir"
    fi
    ;;
url)
    url="postgresql://idevid@/postgres?host=$dir"
    if [ -n "$3" ]; then
        sql "CREATE SCHEMA $3"
        echo "$3" > "$dir/schema"
        url="$url&options=-csearch_path%3D$3"
    fi
    echo "$url"
    ;;
sql) sql "$3" ;;
load)
    PGOPTIONS="-c search_path=$(cat "$dir/schema")" psql -X -q -A -t \
        -v ON_ERROR_STOP=1 -d "postgresql://idevid@/postgres?host=$dir" \
        -f "$3" > "$dir/load.log"
    ;;
halt) halt ;;
go) go ;;
stop)
    [ ! -s "$dir/watcher" ] || kill "$(cat "$dir/watcher")" 2> /dev/null || :
    [ ! -f "$dir/data/postmaster.pid" ] || halt
    rm -r "$dir"
    ;;
*) exit 2 ;;
esac
