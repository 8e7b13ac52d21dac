#!/bin/sh
# Builds one fuzz target with libFuzzer and runs it: run.sh SRCDIR NAME FLAG|SOURCE|LIBRARY...
# What it finds stays in build-fuzz/; a file that broke something belongs into the corpus, under a telling name.
set -eu
srcdir=$1 name=$2
shift 2

command -v clang >/dev/null || { echo "make fuzz needs clang" >&2; exit 1; }

out=build-fuzz
mkdir -p "$out/$name"

# Sources are named as in the makefile, from the source or the build folder; headers are dropped.
count=$#
while [ "$count" -gt 0 ]; do
    argument=$1
    shift
    count=$((count - 1))
    case $argument in
    *.h) ;;
    *.c) if [ -f "$argument" ]; then set -- "$@" "$argument"; else set -- "$@" "$srcdir/$argument"; fi ;;
    *) set -- "$@" "$argument" ;;
    esac
done

clang -std=gnu11 -g -O1 -pthread -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
    -o "$out/fuzz_$name" "$srcdir/check/fuzz/fuzz_$name.c" "$@"
exec "$out/fuzz_$name" -max_total_time="${FUZZ_SECONDS:-30}" -max_len=4096 -timeout=10 -rss_limit_mb=1024 \
    -print_final_stats=1 -artifact_prefix="$out/$name-" "$out/$name" "$srcdir/check/fuzz/corpus/$name"
