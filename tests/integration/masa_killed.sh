#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A MASA's worker is killed at each write to its database and at each call to its
# token: an entry may be there without its voucher, never a voucher without its
# entry; the same request has it then, once. Without IDEVID_LONG=1 at some.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
. "$(dirname "$0")/masa_trouble.inc"
trap world_end EXIT

# numbers FIRST LAST: those at which it is tried, the last ones always
numbers() {
    local step=1
    [ "${IDEVID_LONG:-0}" != 0 ] || step=$((($2 - $1) / 3 + 1))
    seq "$1" "$step" "$2" | grep -vx "$2"
    echo "$2" "$2"
}
# each_cut WHAT PLAN [ENV=VALUE ...]: a worker is killed before or after each of
# what PLAN counts of one request; it is begun anew by itself
each_cut() {
    local what=$1 plan=$2 first last n how=before status hit=0 left=0
    shift 2
    echo '1 count' >"$plan"
    serve "$@" && healthy && voucher "$what-warm" >"$WORLD/status" &&
        first=$(cat "$plan.count") && voucher "$what-count" >"$WORLD/status" &&
        last=$(cat "$plan.count")
    bare_stop
    ok "$what: $((last - first)) of them" [ "$((last - first))" -ge 1 ] || return
    for n in $(numbers $((first + 1)) "$last"); do
        rm -f "$plan"*
        echo "$n $how" >"$plan"
        serve "$@" && healthy &&
            voucher "$what-warm-$n-$how" >"$WORLD/status" 2>"$WORLD/cut.err"
        [ ! -e "$plan" ] || hit=$((hit + 1))
        status=$(voucher "$what-$n-$how" 2>"$WORLD/cut.err")
        is "$what: killed $how $n" "$(cd "${plan%/*}" && echo "${plan##*/}"*)" \
            "${plan##*/}.struck"
        ok "$what: no voucher without its entry ($status)" \
            [ "$status" = 000 -o "$(entry "$what-$n-$how")" = 1 ]
        [ "$status" = 200 ] || left=$((left + $(entry "$what-$n-$how")))
        is 'the same request has it in the end' \
            "$(insists "$what-$n-$how")" 200
        is 'once' "$(entry "$what-$n-$how")" 1
        bare_stop
        [ "$how" = before ] && how=after || how=before
    done
    rm -f "$plan"*
    ok "$what: it was that request, mostly" [ "$hit" -ge 2 ]
    [ "$what" != durable ] ||
        ok "$what: entries were left without their voucher" [ "$left" -ge 1 ]
}
world_begin
export WORKERS=1
ok 'a MASA' trouble_begin || bail 'no MASA'
ok 'it ends' bare_stop
token_shim
database() { # WHAT KIND
    each_cut "$1" "$WORLD/plan" LD_PRELOAD="$BIN/.libs/fscut.so" \
        FSCUT_PLAN="$WORLD/plan" FSCUT_DIR="$WORLD/masa.db" FSCUT_DATA="$2"
}
database written write
database durable sync
each_cut token "$WORLD/cut/plan" "${shim[@]}"
ok 'after all that the log is what its tree says' masa verify-log \
    --key "$WORLD/log.pub" --database "$WORLD/masa.db"

done_testing
