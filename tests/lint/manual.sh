#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The manual is clean mdoc and tells every option, command and key; the sample
# configurations are what the programs print, and can be read back.
. "$(dirname "$0")/../lib/story.sh"
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
bin=${top_builddir:-$src/build}

if command -v mandoc >/dev/null; then
    for page in "$src"/{tools,provider,idevid}/man/*.[1-8]; do
        [ ! -e "$page" ] || is "${page##*/}: mandoc has no complaint" \
            "$(mandoc -T lint -W warning "$page" 2>&1)" ''
    done
else
    skip 'manual pages are clean' 'mandoc is missing'
fi

# The long options that --help lists, of the program and of each command.
options() {
    local verb
    "$1" --help
    for verb in $(verbs "$1"); do
        "$1" "$verb" --help
    done
}
verbs() {
    "$1" --help | sed -n '/^commands:/,/^$/s/^  \([a-z-]*\).*/\1/p'
}

for p in idevid-device idevid-factory idevid-voucher idevid-masa \
    idevid-pledge idevid-registrar; do
    page=$(ls "$src/tools/man/$p".[18])
    for o in $(options "$bin/$p" |
        sed -n 's/^  \(-[a-z],\|   \) --\([a-z0-9-]*\).*/\2/p' | sort -u); do
        ok "$p: --$o is in its page" \
            grep -qE "(Fl|,|\|)( [a-z] ,)? -$o( |\$)" "$page"
    done
    for v in $(verbs "$bin/$p"); do
        ok "$p: command $v is in its page" \
            grep -qE "Cm .*\b$v\b" "$page"
    done
done

# page_has PROGRAM: the keys of its tables, word for word
page_has() {
    "$bin/$1" --mdoc | grep -vxFf "$src/tools/man/$1.ini.5"
    return 0
}
for t in factory masa pledge registrar; do
    is "idevid-$t.ini(5) has every key" "$(page_has "idevid-$t")" ''
    is "conf/$t.ini is what --sample prints" \
        "$("$bin/idevid-$t" --sample | diff - "$src/tools/conf/$t.ini")" ''
done
is 'conf/maker.ini is what --maker-sample prints' "$("$bin/idevid-registrar" \
    --maker-sample | diff - "$src/tools/conf/maker.ini")" ''

# the first example of each page of a file, which needs no more than is there
for t in factory masa pledge registrar; do
    sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$src/tools/man/idevid-$t.ini.5" |
        grep -v '^\.' >"$tap_dir/$t.ini"
    ok "the example of idevid-$t.ini(5) is in order" \
        "$bin/idevid-$t" --test -c "$tap_dir/$t.ini"
done
done_testing
