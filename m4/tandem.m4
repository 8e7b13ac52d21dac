# What Tandem asks of the compiler, the libraries it stands on, and the choices of whoever builds it.

# TANDEM_COMPILER: C11 with GNU extensions, and the warnings the code is held to. What GCC puts in place of a call to
# memcpy() or memset() of some hundred bytes on x86, "rep movsq", takes longer to begin than the C library takes for all.
AC_DEFUN([TANDEM_COMPILER], [
  TANDEM_CFLAGS="-std=gnu11 -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wwrite-strings -Wvla -fno-common -pthread"
  TANDEM_LDFLAGS="-pthread"
  TANDEM_COMPILER_FLAG([-mstringop-strategy=libcall])
])

# TANDEM_COMPILER_FLAG(FLAG): used where the compiler knows it.
AC_DEFUN([TANDEM_COMPILER_FLAG], [
  AC_MSG_CHECKING([whether $CC takes $1])
  tandem_saved_CFLAGS=$CFLAGS
  CFLAGS="$CFLAGS -Werror $1"
  AC_COMPILE_IFELSE([AC_LANG_PROGRAM()], [tandem_takes_flag=yes], [tandem_takes_flag=no])
  CFLAGS=$tandem_saved_CFLAGS
  AC_MSG_RESULT([$tandem_takes_flag])
  AS_IF([test "$tandem_takes_flag" = yes], [TANDEM_CFLAGS="$TANDEM_CFLAGS $1"])
])

# TANDEM_LIBRARY(PREFIX, MODULE, DEBIAN-PACKAGE): found by pkg-config; what is missing is gathered, to be named at once.
AC_DEFUN([TANDEM_LIBRARY], [
  PKG_CHECK_MODULES([$1], [$2], [:], [tandem_missing="$tandem_missing
    $2 (Debian: $3)"])
])

# TANDEM_DRIVER(NAME, PREFIX, MODULE, DEBIAN-PACKAGE): a library that one driver stands on. --with-NAME asks for it,
# --without-NAME leaves it out; else it is used where it is found. Defines HAVE_PREFIX.
AC_DEFUN([TANDEM_DRIVER], [
  AC_ARG_WITH([$1], [AS_HELP_STRING([--with-$1], [build the driver that uses $3; as a rule when that is found])],
    [], [with_$1=auto])
  tandem_have_$1=no
  AS_IF([test "x$with_$1" != xno], [PKG_CHECK_MODULES([$2], [$3], [tandem_have_$1=yes],
    [AS_IF([test "x$with_$1" != xauto], [tandem_missing="$tandem_missing
    $3 (Debian: $4)"])])])
  AS_IF([test "$tandem_have_$1" = yes], [AC_DEFINE([HAVE_$2], [1], [Define when the driver of $1 is built.])])
  AM_CONDITIONAL([WITH_$2], [test "$tandem_have_$1" = yes])
])

AC_DEFUN([TANDEM_LIBRARIES], [
  PKG_PROG_PKG_CONFIG
  AS_IF([test -z "$PKG_CONFIG"], [AC_MSG_ERROR([pkg-config is missing (Debian: pkg-config)])])
  tandem_missing=
  TANDEM_LIBRARY([JSONC], [json-c >= 0.15], [libjson-c-dev])
  TANDEM_LIBRARY([SQLITE], [sqlite3 >= 3.40], [libsqlite3-dev])
  TANDEM_LIBRARY([LIBCONFIG], [libconfig >= 1.5], [libconfig-dev])
  TANDEM_LIBRARY([SODIUM], [libsodium >= 1.0.18], [libsodium-dev])
  TANDEM_LIBRARY([CURL], [libcurl >= 7.74], [libcurl4-openssl-dev])
  TANDEM_LIBRARY([ZLIB], [zlib >= 1.2.11], [zlib1g-dev])
  TANDEM_DRIVER([redis], [REDIS], [hiredis >= 0.14], [libhiredis-dev])
  TANDEM_DRIVER([openssl], [OPENSSL], [openssl >= 1.1.1], [libssl-dev])
  AS_IF([test "$tandem_have_redis" != yes], [OPENSSL_LIBS=])   # nothing else speaks TLS by itself
  AC_CHECK_HEADER([fcgiapp.h],
    [AC_CHECK_LIB([fcgi], [FCGX_InitRequest], [FCGI_LIBS=-lfcgi],
      [tandem_missing="$tandem_missing
    libfcgi (Debian: libfcgi-dev)"])],
    [tandem_missing="$tandem_missing
    libfcgi (Debian: libfcgi-dev)"])
  AC_SUBST([FCGI_LIBS])
  TANDEM_DRIVER([rabbitmq], [RABBITMQ], [librabbitmq >= 0.11], [librabbitmq-dev])

  TANDEM_DRIVER([postgresql], [POSTGRESQL], [libpq >= 14], [libpq-dev])
  TANDEM_DRIVER([kafka], [KAFKA], [rdkafka >= 2.0], [librdkafka-dev])

  AC_ARG_ENABLE([tests], [AS_HELP_STRING([--disable-tests], [build without CUnit; make check is then not available])],
    [], [enable_tests=yes])
  AS_IF([test "x$enable_tests" != xno], [TANDEM_LIBRARY([CUNIT], [cunit >= 2.1], [libcunit1-dev])])
  AM_CONDITIONAL([WITH_TESTS], [test "x$enable_tests" != xno])

  AS_IF([test -n "$tandem_missing"], [AC_MSG_ERROR([these libraries are missing:$tandem_missing
])])
])

AC_DEFUN([TANDEM_OPTIONS], [
  AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [turn warnings into errors])])
  AS_IF([test "x$enable_werror" = xyes], [TANDEM_CFLAGS="$TANDEM_CFLAGS -Werror"])

  AC_ARG_WITH([sanitizers],
    [AS_HELP_STRING([--with-sanitizers=LIST], [compile with these sanitizers: address,undefined or thread])],
    [], [with_sanitizers=no])
  AS_IF([test "x$with_sanitizers" != xno], [
    TANDEM_CFLAGS="$TANDEM_CFLAGS -fsanitize=$with_sanitizers -fno-omit-frame-pointer -fno-sanitize-recover=undefined"
    TANDEM_LDFLAGS="$TANDEM_LDFLAGS -fsanitize=$with_sanitizers"
    AC_DEFINE([WITH_SANITIZERS], [1], [Define when built with a sanitizer.])
  ])

  AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [instrument for gcov])])
  AS_IF([test "x$enable_coverage" = xyes], [
    TANDEM_CFLAGS="$TANDEM_CFLAGS --coverage -fprofile-update=atomic"
    AS_IF([test "x$CFLAGS" = "x-g -O2"], [CFLAGS="-g -O0"])   # Autoconf's own choice; it would come last and win
    TANDEM_LDFLAGS="$TANDEM_LDFLAGS --coverage"
  ])
  AC_SUBST([TANDEM_CFLAGS])
  AC_SUBST([TANDEM_LDFLAGS])
])
