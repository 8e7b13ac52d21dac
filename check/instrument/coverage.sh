#!/bin/bash
# Which lines of shared/ and apps/ the tests ran, from what a build with --enable-coverage has left in this folder:
# coverage.sh SRCDIR. A line that several programs have counts once, as run when any of them ran it.
set -euo pipefail
srcdir=$1

# gcov's listings, all after each other, become a line a source: executed, lines, path.
by_file() {
    find shared apps -name '*.gcno' -print0 | xargs -0 gcov --stdout 2>/dev/null |
        awk -v prefix="$srcdir/" '
            BEGIN { FS = ":" }
            $3 == "Source" { source = index($4, prefix) == 1 ? substr($4, length(prefix) + 1) : ""; next }
            source !~ /^(shared|apps)\// || $1 ~ /^ *-$/ || $2 + 0 == 0 { next }
            {
                line = source SUBSEP $2 + 0
                if (!(line in known)) {
                    known[line]
                    lines[source]++
                }
                if ($1 !~ /[#=]/ && !(line in ran)) {
                    ran[line]
                    executed[source]++
                }
            }
            END { for (source in lines) print executed[source] + 0, lines[source], source }'
}

# sum STATEMENT: adds up what by_file() says, under the names that the statement makes of the paths.
sum() {
    awk "{ name = \$3; $1; executed[name] += \$1; lines[name] += \$2 }
        END { for (name in lines)
            printf \"%6.1f %% %6d of %6d  %s\\n\", 100 * executed[name] / lines[name], executed[name], lines[name], name }"
}

files=$(by_file)
[[ $files ]] || { echo "coverage.sh: gcov says nothing" >&2; exit 1; }

echo "lines run, of the files with the least:"
sum '' <<<"$files" | sort -n | sed -n 1,20p
echo "of the folders:"
sum 'sub(/\/[^\/]*$/, "", name)' <<<"$files" | sort -k 6
echo "in all:"
sum 'sub(/\/.*/, "", name)' <<<"$files" | sort -k 6
