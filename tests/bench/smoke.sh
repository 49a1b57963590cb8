#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# make bench runs, prints every row and says the same in JSON. Of the figures
# only counts of calls are judged here: nothing else is the same everywhere.
. "$(dirname "$0")/../lib/story.sh"
trap 'rm -rf "$tap_dir"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL

if ! command -v swtpm >/dev/null || ! command -v softhsm2-util >/dev/null; then
    skip 'make bench' 'swtpm or softhsm2-util is missing'
    done_testing
    exit
fi

ok 'make bench' "${MAKE:-make}" -C "$top_builddir" bench BENCH_SECONDS=0.02 BENCH_REST_S=1 \
    BENCH_ROWS=5000 BENCH_DEVICES=3 BENCH_REQUESTS=1200 \
    BENCH_JSON="$tap_dir/rows.json"
cp "$tap_dir/out" "$tap_dir/table"
while read -r rows name; do
    is "rows of $name" "$(grep -c "^$name: " "$tap_dir/table")" "$rows"
    is "the same of $name in JSON" \
        "$(grep -c "\"name\":\"$name: .*\"device-calls\":.*}\$" \
            "$tap_dir/rows.json")" "$rows"
done <<'EOF'
7 sign P-256, token
2 sign RSA-2048, token
2 sign RSA-2048, token, 1 MiB
2 sign ED25519, token
3 sign P-256, TPM
2 sign P-256, TPM, +5 ms a command
2 sign RSA-2048, TPM
3 TLS 1.3, P-256 server key
3 TLS 1.3, RSA-2048 server key
4 d2i_X509, EC
4 d2i_X509, RSA
2 providers loaded
2 first key by URI, token
2 first key by URI, TPM
EOF
is 'targets in JSON' \
    "$(grep -vE '^\{"target":"(anchor|desk)|, (swtpm|join|registrar)","unit"' \
        "$tap_dir/rows.json" | grep -c '^{"target":')" 59
is 'figures of the desk in JSON' \
    "$(grep -c '^{"target":"desk: judges' "$tap_dir/rows.json")" 5
is 'figures of the registrar in JSON' \
    "$(grep -c '^{"target":".*, registrar","unit"' "$tap_dir/rows.json")" 37
is 'figures of the MASA in JSON' \
    "$(grep -c '^{"target":".*, MASA","unit"' "$tap_dir/rows.json")" 22
is 'entries of a log in JSON' \
    "$(grep -c '^{"name":"entries of a MASA' "$tap_dir/rows.json")" 1
is 'lookups of the ledger in JSON' \
    "$(grep -cE '"name":"(registrar|est|masa): .*,"rows":5000,' \
        "$tap_dir/rows.json" | sed 's/^16$/8/')" 8
is 'devices loaded in JSON' \
    "$(grep -c '^{"name":"devices loaded by a MASA","rows":[15]000,' \
        "$tap_dir/rows.json")" 2
ok 'one sync for many answers' awk -F'"syncs":' '
    /16 answered together/ && $2 + 0 > 0 {n++; if ($2 + 0 > 0.5) exit 1}
    END {exit n != 1}' "$tap_dir/rows.json"
is 'targets of calls and bytes met' \
    "$(grep -A6 '^targets' "$tap_dir/table" | grep -c ' met$')" 6
for where in directly 'behind tpm2-abrmd'; do
    sed -n "/^TPM, $where /,/^\$/p" "$tap_dir/table" >"$tap_dir/tpm"
    is "rows of a TPM, $where" "$(grep -cE ' commands| of ESYS' "$tap_dir/tpm")" 20
    is "none of them costs more commands than promised, $where" \
        "$(grep ' commands *MISSED$' "$tap_dir/tpm")" ''
done
is 'commands of a TPM as promised' \
    "$(grep -vE '^(anchor|line)' "$tap_dir/table" |
        grep -c ' commands *met$')" 31
is 'commands of a line as promised' \
    "$(grep -cE '^line: .* (commands|trips) *met$' "$tap_dir/table")" 4
is "CPU of a line's devices, in a worker that stays, no context of ESYS in it" \
    "$(grep -cE '^(line: CPU, tcg|  the least of 3 |  contexts of .* met$)' \
        "$tap_dir/table")" 5
is 'figures of the anchor in JSON' \
    "$(grep -c '^{"target":"anchor' "$tap_dir/rows.json")" 40
for where in directly 'behind tpm2-abrmd'; do
    sed -n "/^sealed anchor, $where /,/^\$/p" "$tap_dir/table" >"$tap_dir/anchor"
    is "figures of the anchor, $where" \
        "$(grep -c '^anchor.* commands' "$tap_dir/anchor")" 17
    is "the first command of its reset is the one that counts, $where" \
        "$(grep -c '^anchor: reset, until it is safe .* met$' "$tap_dir/anchor")" 1
    is "what it consists of, $where, is known by name" \
        "$(grep ' others' "$tap_dir/anchor")" ''
done
for d in TPM token; do
    like "an agent at rest, $d, is not woken" \
        "$(grep -A2 "^agent at rest, $d: private" "$tap_dir/table")" \
        '^  context switches in 1 s  *0\.00 .* met$'
    like "row of one join, $d device" "$(cat "$tap_dir/table")" \
        "^one join, $d device .* signatures\$"
    like "the same of $d in JSON" "$(cat "$tap_dir/rows.json")" \
        "\"name\":\"one join, $d device\".*\"signatures\":[0-9]*}\$"
done
done_testing
