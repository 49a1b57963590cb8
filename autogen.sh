#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Generates configure; with "demo" or "check" also installs what is missing,
# configures and builds in build/, and runs the demonstration or every test.
set -eu

usage() {
    cat <<'EOF'
usage: ./autogen.sh [demo | check | deps]

  (nothing)  generate configure; then ./configure && make && make check
  deps       install the Debian packages of packages.txt that are missing
  demo       deps, build in build/, and tell the whole story of a device:
             factory, owner, join, and everything that is refused
  check      deps, build in build/, and run every test

demo and check work again without network once the packages are there.
Environment: BUILD_DIR (default: build), JOBS (default: one per core),
CONFIGURE_ARGS (given to configure), TESTS (only these tests, with check).
EOF
}

die() {
    echo "autogen.sh: $*" >&2
    exit 2
}

top=$(cd "$(dirname "$0")" && pwd)
cd "$top"
BUILD_DIR=${BUILD_DIR:-build}
JOBS=${JOBS:-$(nproc 2>/dev/null || echo 2)}

packages() {
    sed 's/#.*//' packages.txt | tr -s ' \n' '\n\n' | sed '/^$/d'
}

missing() {
    for p in $(packages); do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
            grep -q '^install ok installed' || echo "$p"
    done
}

deps() {
    command -v dpkg-query >/dev/null || die "this is not a Debian system;" \
        "install the equivalents of packages.txt and use ./configure"
    want=$(missing)
    [ -n "$want" ] || return 0
    want=$(echo $want)
    if [ "$(id -u)" = 0 ]; then
        sudo=
    elif command -v sudo >/dev/null; then
        sudo=sudo
    else
        die "packages are missing and this is neither root nor sudo:" $want
    fi
    echo "autogen.sh: installing $want"
    log=$(mktemp)
    # the programs are wanted, not the services that start with them
    $sudo sh -c 'export DEBIAN_FRONTEND=noninteractive
        policy=/usr/sbin/policy-rc.d
        if [ ! -e $policy ]; then
            trap "rm -f $policy" EXIT
            trap "exit 1" HUP INT TERM
            printf "#!/bin/sh\nexit 101\n" >$policy
            chmod 755 $policy
        fi
        apt-get update && apt-get install -y --no-install-recommends "$@"' \
        sh $want >"$log" 2>&1 || {
        tail -n 5 "$log" >&2
        rm -f "$log"
        die "these Debian packages could not be installed:" $want
    }
    rm -f "$log"
}

generate() {
    command -v autoreconf >/dev/null ||
        die "autoreconf is missing: apt-get install autoconf automake libtool"
    autoreconf -fi >autogen.log 2>&1 || {
        tail -n 20 autogen.log >&2
        die "autoreconf failed"
    }
    rm -f autogen.log
}

build() {
    deps
    [ -x configure ] && [ configure -nt configure.ac ] || generate
    mkdir -p "$BUILD_DIR"
    cd "$BUILD_DIR"
    echo "autogen.sh: building in $BUILD_DIR/"
    if [ ! -e config.status ] || [ "$top/configure" -nt config.status ]; then
        "$top/configure" -q ${CONFIGURE_ARGS:-} >configure.out 2>&1 || {
            tail -n 20 configure.out >&2
            die "configure failed, see $BUILD_DIR/config.log"
        }
    fi
    make -j"$JOBS" >make.out 2>&1 || {
        grep -nE 'error|Error' make.out | head -n 20 >&2
        die "the build failed, see $BUILD_DIR/make.out"
    }
}

# What make says about itself goes to make.out, so that the count comes last.
check() {
    code=0
    rm -f check.out
    make -j"$JOBS" check-programs >>make.out 2>&1 || {
        grep -nE 'error|Error' make.out | head -n 20 >&2
        die "the tests do not build, see $BUILD_DIR/make.out"
    }
    make -s -j"$JOBS" check ${TESTS:+TESTS="$TESTS"} 2>>make.out || code=$?
    if [ ! -e check.out ]; then
        grep -nE 'error|Error' make.out | head -n 20 >&2
        echo "0 passed, 1 failed, 0 skipped"
    fi
    return $code
}

case ${1:-} in
'') generate ;;
deps) deps ;;
demo)
    build
    make -s tests/lib/dishonest tests/lib/findkeys >>make.out 2>&1 ||
        die "the build failed, see $BUILD_DIR/make.out"
    exec make -s demo
    ;;
check)
    build
    check
    ;;
-h | --help) usage ;;
*)
    usage >&2
    exit 2
    ;;
esac
