#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every file says under which terms it is, speaks of this project only, and
# every script parses.
. "$(dirname "$0")/../lib/story.sh"
cd "${top_srcdir:-$(dirname "$0")/../..}" || bail 'no source'

# what is ours; a tarball has more, a working tree even more
files() {
    find provider idevid tools hsm-configs tests m4 .ci configure.ac \
        Makefile.am autogen.sh packages.txt -type f \
        -not -path 'tests/fuzz/corpus/*' -not -path 'tests/vectors/captures/*' \
        -not -path 'm4/l*' -not -name '*.o' -not -name '*.lo' \
        -not -name '*.la' -not -name '*.log' -not -name '*.trs' \
        -not -path '*/.libs/*' -not -path '*/.deps/*' -not -name '.dirstamp' \
        -not -name '*schema.inc' "$@"
}
sources() {
    files \( -name '*.[ch]' -o -name '*.sh' -o -name '*.inc' -o -name '*.am' \
        -o -name '*.ac' -o -name '*.sql' -o -name '*.[1-8]' -o -name '*.py' \
        -o -name '*.m4' -o -name run -o -name '*-device' \)
}

is 'a SPDX line in every source' "$(sources | while read -r f; do
    head -n 3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
        echo "$f"
done)" ''

no_word() {
    is "$1" "$(files -not -path tests/lint/words.sh -print0 |
        xargs -0 grep -nIE "$2" /dev/null)" ''
}
no_word 'nothing left to do' '\b(TODO|FIXME|XXX|HACK)\b'
no_word 'no path of a machine it was made on' '/(work|home|Users|root)/'
no_word 'no talk of how it was made' \
    '\b([Ii]ssue|[Tt]icket|[Ss]ession|PR) ?#?[0-9]'
no_word 'no conflict left' '^(<<<<<<<|>>>>>>>) '
is 'no blanks at the end of a line' "$(sources |
    xargs grep -nE '[ 	]+$' /dev/null)" ''

while read -r f; do
    case $(head -n 1 "$f") in
    '#!/bin/bash') ok "$f parses" bash -n "$f" ;;
    '#!/bin/sh') ok "$f parses" sh -n "$f" ;;
    *) ok "$f parses" bash -n "$f" ;;
    esac
done < <(files \( -name '*.sh' -o -name run -o -name '*-device' \) | sort)
is 'every script can be executed' "$(files -name '*.sh' -not -path \
    'tests/lib/*' -not -name world.sh -not -perm -u+x)" ''
done_testing
