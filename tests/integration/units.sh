#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The units for systemd: understood as they are written, and sandboxed.
. "$(dirname "$0")/../lib/story.sh"

command -v systemd-analyze >/dev/null || {
    skip 'units for systemd' 'systemd-analyze is missing'
    done_testing
    exit
}
dir=$(mktemp -d "${TMPDIR:-/tmp}/idevid-units.XXXXXX")
trap 'rm -rf "$dir" "$tap_dir"' EXIT

# as installed, but for where the programs are
for unit in "$top_builddir"/tools/units/*.service; do
    name=$(basename "$unit" .service)
    sed "s#^\(Exec[A-Za-z]*=\)[^ ]*/$name#\1$top_builddir/$name#" "$unit" \
        >"$dir/$name.service"
    is "$name: nothing to complain of" \
        "$(systemd-analyze verify --man=no "$dir/$name.service" 2>&1)" ''
    ok "$name: sandboxed, systemd-analyze security says OK or better" \
        systemd-analyze security --offline=yes --no-pager --threshold=50 \
        "$dir/$name.service"
done
is 'each program that serves has one' "$(cd "$dir" && echo *.service)" \
    'idevid-factory.service idevid-masa.service idevid-pledge.service idevid-registrar.service'
sed 's/^Restart=/Restort=/' "$dir/idevid-factory.service" \
    >"$dir/idevid-spoilt.service"
like 'a misspelt key would be' "$(systemd-analyze verify --man=no \
    "$dir/idevid-spoilt.service" 2>&1)" 'Restort'
done_testing
