#!/bin/bash
# Writes the table of what every engine of the database holds, as Markdown, of what its programs said.
#     db_conformance.sh TAP-OUTPUT...       a file a program; its lines are "ok 3 - SUITE: ENGINE: CASE"
set -u

ENGINES=(sqlite postgresql)

cat <<'HEAD'
# What every engine holds

The cases of [state/db.h](../shared/state/db.h), of migrations, and of what stands on them, as they came out on each engine; made by
`make update-db-conformance`.
HEAD

for output in "$@"; do
    awk -v engines="${ENGINES[*]}" '
        BEGIN { count = split(engines, engine, " ") }
        /^(not )?ok [0-9]+ - / {
            line = $0; sub(/^(not )?ok [0-9]+ - /, "", line); skipped = sub(/ # SKIP.*/, "", line)
            at = index(line, ": "); suite = substr(line, 1, at - 1); line = substr(line, at + 2)
            at = index(line, ": "); on = substr(line, 1, at - 1); name = substr(line, at + 2)
            if (!(name in seen)) { seen[name] = 1; names[++total] = name }
            said[name, on] = skipped ? "not run" : /^not/ ? "**fails**" : "holds"
        }
        END {
            printf "\n## %s\n\n| Case |", suite
            for (i = 1; i <= count; i++) printf " %s |", engine[i]
            printf "\n|---|"
            for (i = 1; i <= count; i++) printf "---|"
            print ""
            for (n = 1; n <= total; n++) {
                printf "| %s |", names[n]
                for (i = 1; i <= count; i++) printf " %s |", (names[n], engine[i]) in said ? said[names[n], engine[i]] : "–"
                print ""
            }
        }' "$output"
done
