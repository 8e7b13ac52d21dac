#!/bin/bash
# Prints a page of doc/ with the table of what its conformance suite's programs said in place of the one that is there.
#     conformance.sh PAGE SUITE_C TAP-OUTPUT...     the cases, as they stand in their table; a file a driver
# What they said that begins with the driver's name ("# redis: …") is the list behind "What was measured by the way:".
set -u

PAGE=$1 SUITE=$2
shift 2

# The names of the cases, in order.
cases() {
    sed -nE 's/^.*\{"(.*)", [A-Za-z_()]+\}\},$/\1/p' "$SUITE"
}

# What a driver's output says of a case: TAP's "ok 3 - bus on NAME: CASE".
outcome() {
    awk -v name="$2" '
        /^(not )?ok [0-9]+ - / {
            line = $0; sub(/^[^:]*: /, "", line); skipped = sub(/ # SKIP.*/, "", line)
            if (line == name) { print skipped ? "not run" : /^not/ ? "**fails**" : "holds"; found = 1 }
        }
        END { if (!found) print "–" }' "$1"
}

# NAME of the first line that has "bus on NAME: CASE".
driver() {
    sed -nE 's/^(not )?ok [0-9]+ - [a-z]+ (on|in) ([^:]*): .*/\3/p' "$1" | head -n 1
}

table() {
    local header="| Case |" rule="|---|" row name output
    for output in "$@"; do
        header+=" $(driver "$output") |" rule+="---|"
    done
    printf '%s\n%s\n' "$header" "$rule"
    cases | while read -r name; do
        row="| $name |"
        for output in "$@"; do
            row+=" $(outcome "$output" "$name") |"
        done
        printf '%s\n' "$row"
    done
}

measured() {
    local output
    for output in "$@"; do
        sed -nE "s/^# ($(driver "$output"): .*)/- \\1/p" "$output"
    done
}

sed '/^| Case |/,$d' "$PAGE"
table "$@"
if grep -q '^What was measured by the way:$' "$PAGE"; then
    printf '\nWhat was measured by the way:\n\n'
    measured "$@"
else
    awk '/^\| Case \|/ { inside = 1 } inside && !/^\|/ { inside = 0; after = 1 } after' "$PAGE"
fi
