#!/bin/bash
# Writes the table of what every kind of cache holds, as Markdown, of what its programs said.
#     cache_conformance.sh TEST_CACHE_C TAP-OUTPUT...       the cases, as they stand in their table; a file a world
set -u

CASES=$1
shift

# The names of the cases, in order.
cases() {
    sed -nE 's/^    \{[A-Z_0-9]+, \{"(.*)", [A-Za-z_()]+\}\},$/\1/p' "$CASES"
}

# What a world's output says of a case: TAP's "ok 3 - cache in NAME: CASE".
outcome() {
    awk -v name="$2" '
        /^(not )?ok [0-9]+ - / {
            line = $0; sub(/^[^:]*: /, "", line); skipped = sub(/ # SKIP.*/, "", line)
            if (line == name) { print skipped ? "not run" : /^not/ ? "**fails**" : "holds"; found = 1 }
        }
        END { if (!found) print "–" }' "$1"
}

# "cache in NAME" of the first line that has it.
world() {
    sed -nE 's/^(not )?ok [0-9]+ - cache in ([^:]*): .*/\2/p' "$1" | head -n 1
}

cat <<'HEAD'
# What every cache holds

The conformance suite of [cache/cache.h](../shared/cache/cache.h) (`check/service/test_cache.c`), as it came out on each kind
of cache: in memory, with one Redis behind, with a Redis Cluster of three masters and three replicas behind; made by
`make update-cache-conformance`. A dash: that kind has nothing of the sort.

HEAD

header="| Case |" rule="|---|"
for output in "$@"; do
    header+=" $(world "$output") |" rule+="---|"
done
printf '%s\n%s\n' "$header" "$rule"
cases | while read -r name; do
    row="| $name |"
    for output in "$@"; do
        row+=" $(outcome "$output" "$name") |"
    done
    printf '%s\n' "$row"
done

printf '\nWhat was measured by the way:\n\n'
for output in "$@"; do
    sed -nE "s/^# ($(world "$output"): .*)/- \\1/p" "$output"
done
