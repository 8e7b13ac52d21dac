# Builds, and runs the tests. Sourced by ./run.
# shellcheck shell=bash

build_configure() {
    [[ -x $SOURCE/configure ]] || "$SOURCE/bootstrap"
    mkdir -p "$BUILD"
    (cd "$BUILD" && "$SOURCE/configure" --quiet --enable-silent-rules "$@")
}

# Quiet when there is nothing to do; all of the output when it fails.
build_programs() {
    [[ -z ${TANDEM_BUILD:-} ]] || return 0
    [[ -f $BUILD/Makefile ]] || build_configure
    say "Building in $BUILD …"
    local log=$BUILD/run-build.log
    make -C "$BUILD" -j"$(nproc)" >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        fail "the build failed; all of it is in $log"
    }
}

# Nothing is skipped here: what a test needs was installed, so its absence is a failure.
build_check() {
    if ! [[ -x $BUILD/config.status ]] || ! "$BUILD/config.status" --config | grep -q -- --enable-werror; then
        build_configure --enable-werror
    fi
    make -C "$BUILD" -j"$(nproc)" all
    make -C "$BUILD" -j"$(nproc)" check TANDEM_REQUIRE=1
}
