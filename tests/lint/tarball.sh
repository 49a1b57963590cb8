#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every file of the repository is in the tarball.
. "$(dirname "$0")/../lib/story.sh"
src=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
cd "${top_builddir:-$src/build}" || bail 'no build'

if [ ! -e "$src/.git" ] || ! git -C "$src" ls-files >"$tap_dir/all" 2>&1; then
    skip 'every file of the repository is in the tarball' 'no repository here'
else
    # a directory stands for what is in it
    make -s list-dist | sed "s|^$src/||; s|^\.\./||; s|^\./||" |
        awk '{ print "^" $0 "(/|$)" }' | sed 's/\./\\./g' >"$tap_dir/dist"
    ok 'a tarball has files' [ -s "$tap_dir/dist" ]
    is 'every file of the repository is in the tarball' \
        "$(grep -vEf "$tap_dir/dist" "$tap_dir/all" | grep -v '^\.gitignore$')" \
        ''
fi
done_testing
