# SPDX-License-Identifier: Apache-2.0
# AX_IDEVID_HARDENING: the warnings and protections every object gets.
AC_DEFUN([AX_IDEVID_HARDENING], [
AM_CFLAGS=
AM_LDFLAGS=
for flag in -std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes \
    -Wmissing-prototypes -Wvla -Wformat=2 -Wundef -Wcast-qual \
    -Wwrite-strings -Wtype-limits -fvisibility=hidden \
    -fstack-protector-strong -fno-common; do
  AC_MSG_CHECKING([whether $CC accepts $flag])
  ax_saved="$CFLAGS"
  CFLAGS="$CFLAGS $flag -Werror"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])],
    [AM_CFLAGS="$AM_CFLAGS $flag"; AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])])
  CFLAGS="$ax_saved"
done
case "$CFLAGS" in
*-O0*|*-fsanitize*) ;;
*-O*) AM_CFLAGS="$AM_CFLAGS -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2" ;;
esac
for flag in -Wl,-z,relro -Wl,-z,now -Wl,--as-needed; do
  AC_MSG_CHECKING([whether the linker accepts $flag])
  ax_saved="$LDFLAGS"
  LDFLAGS="$LDFLAGS $flag"
  AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])],
    [AM_LDFLAGS="$AM_LDFLAGS $flag"; AC_MSG_RESULT([yes])],
    [AC_MSG_RESULT([no])])
  LDFLAGS="$ax_saved"
done
])
