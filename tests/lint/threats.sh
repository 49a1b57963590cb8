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

said=$(manual)
n=0
while IFS= read -r text; do
    n=$((n + 1))
    case $said in
    *"$text"*) ;;
    *) is "the manual says: $text" 'it does not' '' ;;
    esac
done < <(table)
like 'there is a table' "$n" '^[1-9][0-9]'
is 'each attack has an outcome for each way' $((n % 5)) 0
is 'each outcome begins with one of the words' "$(table | awk 'NR % 5 != 1' |
    grep -vE '^(refused|noticed|shows|unnoticed|harmless|none)\b')" ''
done_testing
