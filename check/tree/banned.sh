#!/bin/bash
# Calls that have no place here, each with what takes its place.
# shellcheck source=check/tree/tap.sh
. "$(dirname "$0")/tap.sh"

BANNED='strcpy   snprintf, or base/buf
strcat   base/buf
sprintf  snprintf, or base/buf
vsprintf vsnprintf, or base/buf
gets     fgets
strtok   text_split
atoi     text_to_int
system   posix_spawn, without a shell
popen    posix_spawn, without a shell
alloca   the arena
rand     base/id
srand    base/id
tmpnam   mkstemp'

# Code without comments and the insides of strings.
# shellcheck disable=SC2016   # awk's own variables
code() {
    sources | xargs awk '
        FNR == 1 { comment = 0 }
        {
            line = $0
            gsub(/\\./, "", line)
            gsub(/"[^"]*"/, "\"\"", line)
            gsub(/\/\*[^*]*\*\//, "", line)
            if (comment) { if (line ~ /\*\//) { sub(/.*\*\//, "", line); comment = 0 } else next }
            if (line ~ /\/\*/) { sub(/\/\*.*/, "", line); comment = 1 }
            print FILENAME ":" FNR ": " line
        }'
}

CODE=$(code)

calls() {
    grep -E "(^|[^A-Za-z0-9_.>])$1 *\(" <<<"$CODE" | cut -c 1-110
}

while read -r name instead; do
    holds "$name is not called ($instead)" calls "$name"
done <<<"$BANNED"

# Tests wait by asking. A pause between two questions is nanosleep, in the function that asks.
sleeps() {
    { calls sleep; calls usleep; } | grep '^check/'
}
holds "no test sleeps" sleeps
ends
