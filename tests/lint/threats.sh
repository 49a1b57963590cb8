#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The threat table of idevid-anchor(8) is the one the program prints.
. "$(dirname "$0")/../lib/story.sh"
cd "${top_srcdir:-$(dirname "$0")/../..}" || bail 'no source'

# The strings of the table in C, joined, one line each.
table() {
    tr -d '\n' <tools/anchor_threats.c | sed 's/.*anchor_threats\[\] = {//
        s/" *"//g' | grep -o '"[^"]*"' | tr -d '"'
}
# What the manual says, without markup and line breaks.
manual() {
    sed -n '/^\.Sh THREATS/,/^\.Sh [^T]/p' tools/man/idevid-anchor.8 |
        grep -v '^\.\(Sh\|Bl\|El\|Bd\|Ed\)' |
        sed 's/^\.\(It\|Em\|Ic\|Cm\) *//; s/\\&//' | tr '\n' ' ' | tr -s ' '
}

# The whole table as the manual should have it, and no word between its rows.
expected() {
    table | awk 'BEGIN { split("owner platform token software", way, " ") }
        NR % 5 == 1 { printf "%s", $0; next }
        { printf " %s %s", way[(NR + 4) % 5], $0 }
        NR % 5 == 0 { printf " " }'
}

said=$(manual)
want=$(expected)
n=$(table | wc -l)
case $said in
*"when nothing changes, and none where there is no such thing. $want"*)
    is 'the manual has the same table' yes yes ;;
*) is 'the manual has the same table' "$said" "$want" ;;
esac
like 'there is a table' "$n" '^[1-9][0-9]'
is 'each attack has an outcome for each way' $((n % 5)) 0
is 'each outcome begins with one of the words' "$(table | awk 'NR % 5 != 1' |
    grep -vE '^(refused|noticed|shows|unnoticed|harmless|none)\b')" ''
done_testing
