#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# long.sh PROGRAM: a test's program that does all of what it does some of in
# "make check".
IDEVID_LONG=1
export IDEVID_LONG
exec sh "$top_srcdir/tests/lib/tap.sh" "$top_builddir/libtool" --quiet \
    --mode=execute "$top_builddir/$1"
