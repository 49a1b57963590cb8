#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A MASA's worker is killed at each write to its database and at each call to its
# token: an entry may be there without its voucher, never a voucher without its
# entry; the same request has it then, once. So is who puts a copy of the
# database back. Without IDEVID_LONG=1 at some.
. "$(dirname "$0")/../lib/story.sh"
. "$(dirname "$0")/world.sh"
. "$(dirname "$0")/masa.inc"
. "$(dirname "$0")/monitor.inc"
. "$(dirname "$0")/masa_trouble.inc"
trap world_end EXIT

# numbers FIRST LAST: those at which it is tried, before and after in turns; all
# of them at both, or some, and the last one always
numbers() {
    if [ "${IDEVID_LONG:-0}" != 0 ]; then
        seq "$1" "$2" | sed p
    else
        seq "$1" $((($2 - $1) / 3 + 1)) "$2" | grep -vx "$2"
        echo "$2" "$2"
    fi
}
# A worker that is killed is begun anew by itself. cut_at WHAT PLAN N HOW: the
# service, which has been warmed up, is killed at that call of one request.
# Beyond the number SURE it may not come to that, and is served then.
cut_at() {
    local what=$1 plan=$2 nonce=$1-$3-$4 sure=${5:-$3} status
    status=$(voucher "$nonce" 2>"$WORLD/cut.err")
    if [ "$3" -gt "$sure" ] && [ ! -e "$plan.struck" ]; then
        is "$what: not as many as $3" "$status" 200
    else
        is "$what: killed $4 $3" "$(cd "${plan%/*}" && echo "${plan##*/}"*)" \
            "${plan##*/}.struck"
    fi
    ok "$what: no voucher without its entry ($status)" \
        [ "$status" = 000 -o "$(entry "$nonce")" = 1 ]
    [ "$status" = 200 ] || left=$((left + $(entry "$nonce")))
    is 'the same request has it in the end' "$(insists "$nonce")" 200
    is 'once' "$(entry "$nonce")" 1
}
# each_write WHAT KIND: of what the database does for one request, KIND as
# FSCUT_DATA has it; the plan comes when all else is done
each_write() {
    local what=$1 plan=$WORLD/plan n how=before count sure left=0
    rm -f "$plan"*
    ok "$what: it serves" serve LD_PRELOAD="$BIN/.libs/fscut.so" \
        FSCUT_PLAN="$plan" FSCUT_DIR="$WORLD/masa.db" FSCUT_DATA="$2"
    voucher "$what-warm" >"$WORLD/status"
    echo '1 count' >"$plan"
    voucher "$what-count" >"$WORLD/status"
    count=$(cat "$plan.count")
    bare_stop
    ok "$what: ${count:-none} of them" [ "${count:-0}" -ge 1 ] || return
    # (another time they may be a few less)
    sure=$((count < 9 ? count : count * 2 / 3))
    [ "${IDEVID_LONG:-0}" != 0 ] || count=$sure
    for n in $(numbers 1 "$count"); do
        rm -f "$plan"*
        serve LD_PRELOAD="$BIN/.libs/fscut.so" FSCUT_PLAN="$plan" \
            FSCUT_DIR="$WORLD/masa.db" FSCUT_DATA="$2"
        voucher "$what-warm-$n-$how" >"$WORLD/status"
        echo "$n $how" >"$plan"
        cut_at "$what" "$plan" "$n" "$how" "$sure"
        bare_stop
        [ "$how" = before ] && how=after || how=before
    done
    rm -f "$plan"*
    [ "$what" != durable ] ||
        ok "$what: entries were left without their voucher" [ "$left" -ge 1 ]
}
# each_call: of those to the token, which a worker counts from its beginning
each_call() {
    local plan=$WORLD/cut/plan n how=before first last left=0
    echo '1 count' >"$plan"
    ok 'token: it serves' serve "${shim[@]}"
    voucher token-warm >"$WORLD/status"
    first=$(cat "$plan.count")
    voucher token-count >"$WORLD/status"
    last=$(cat "$plan.count")
    bare_stop
    ok "token: $((last - first)) of them" [ "$((last - first))" -ge 1 ] || return
    for n in $(numbers $((first + 1)) "$last"); do
        rm -f "$plan"*
        echo "$n $how" >"$plan"
        serve "${shim[@]}"
        voucher "token-warm-$n-$how" >"$WORLD/status"
        cut_at token "$plan" "$n" "$how"
        bare_stop
        [ "$how" = before ] && how=after || how=before
    done
    rm -f "$plan"*
}
put_back() {
    LD_PRELOAD="$BIN/.libs/fscut.so" FSCUT_PLAN="$WORLD/plan" \
        FSCUT_DIR="$WORLD/masa.db" FSCUT_DATA=write \
        masa restore --older "$WORLD/was.db" >"$WORLD/put.out" 2>&1
}
# each_put: of a copy, whose log is WAS, that takes the place of the database
each_put() {
    local was=$1 plan=$WORLD/plan n how=before count is got kept=0
    is=$(masa log)
    cp "$WORLD/masa.db" "$WORLD/is.db"
    echo '1 count' >"$plan"
    ok 'restored: a copy' put_back
    is 'which is there' "$(masa log)" "$was"
    count=$(cat "$plan.count")
    for n in $(numbers 1 "$count"); do
        rm -f "$plan"* "$WORLD/masa.db"*
        cp "$WORLD/is.db" "$WORLD/masa.db"
        echo "$n $how" >"$plan"
        put_back
        is "restored: killed $how $n of $count" "$(ls "$plan"*)" "$plan.struck"
        got=$(masa log)
        ok 'restored: all of it or nothing' [ "$got" = "$was" -o "$got" = "$is" ]
        [ "$got" != "$is" ] || kept=$((kept + 1))
        ok 'and sound' masa verify-log --key "$WORLD/log.pub" \
            --database "$WORLD/masa.db"
        [ "$how" = before ] && how=after || how=before
    done
    rm -f "$plan"*
    ok "restored: as it was $kept times" [ "$kept" -ge 1 ]
}
world_begin
export WORKERS=1
ok 'a MASA' trouble_begin || bail 'no MASA'
is 'a voucher' "$(voucher first)" 200
ok 'a copy' masa backup "$WORLD/was.db"
was=$(masa log)
ok 'it ends' bare_stop
token_shim
each_write written write
each_write durable sync
each_call
ok 'after all that the log is what its tree says' masa verify-log \
    --key "$WORLD/log.pub" --database "$WORLD/masa.db"
each_put "$was"
done_testing
