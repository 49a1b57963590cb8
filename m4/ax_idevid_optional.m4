# SPDX-License-Identifier: Apache-2.0
# AX_IDEVID_OPTIONAL(NAME, PREFIX, MODULE, VERSION, WHAT): --with-NAME=yes|no,
# else WHAT if MODULE is there. Sets PREFIX_CFLAGS, PREFIX_LIBS, PREFIX_PC (what
# libidevid.pc requires) and the conditional HAVE_PREFIX.
AC_DEFUN([AX_IDEVID_OPTIONAL], [
  AC_ARG_WITH([$1],
    [AS_HELP_STRING([--with-$1],
      [$5 by $3 (default: if it is there)])],
    [], [with_$1=check])
  have_$1=no
  $2_PC=
  AS_IF([test "x$with_$1" != xno],
    [PKG_CHECK_MODULES([$2], [$3 >= $4], [have_$1=yes; $2_PC=$3],
      [AS_IF([test "x$with_$1" = xyes],
        [AC_MSG_ERROR([$5 needs $3 >= $4])],
        [AC_MSG_WARN([without $5: $3 >= $4 is missing])])])])
  AM_CONDITIONAL([HAVE_$2], [test x$have_$1 = xyes])
  AC_SUBST([$2_PC])
])
