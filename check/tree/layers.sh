#!/bin/bash
# Who may include whom: DESIGN's layers, and what stands in an include.
# shellcheck source=check/tree/tap.sh
. "$(dirname "$0")/tap.sh"

# A folder, and the folders below it whose headers it may include beside its own.
LAYERS='base
telemetry base
conf telemetry base
state conf telemetry base
net conf telemetry base
events state conf telemetry base
cache events state net conf telemetry base
discovery state net conf telemetry base
app cache discovery events state net conf telemetry base'

includes() {
    sources | xargs grep -nHE '^#include "' | sed -E 's/^([^:]+):([0-9]+):#include "([^"]+)".*/\1 \2 \3/'
}

# A file under shared/ includes its own folder and those of its row.
shared_layers() {
    includes | awk -v layers="$LAYERS" '
        BEGIN {
            rows = split(layers, row, "\n")
            for (i = 1; i <= rows; i++) {
                count = split(row[i], names, " ")
                for (j = 1; j <= count; j++)
                    may[names[1], names[j]] = 1
                known[names[1]] = 1
            }
        }
        $1 ~ /^shared\// {
            split($1, from, "/"); split($3, to, "/")
            if ($3 == "config.h") next
            if (!(from[2] in known)) print $1 ": " from[2] " is not a layer"
            else if (!((from[2], to[1]) in may)) print $1 ":" $2 ": " from[2] " includes " $3
        }'
}

# An application includes itself and shared/; ctl, the operator's command, may know the applications.
application_layers() {
    includes | awk '
        $1 ~ /^apps\// {
            split($1, from, "/"); split($3, to, "/")
            if (to[1] == "check" || (to[1] == "apps" && to[2] != from[2] && from[2] != "ctl"))
                print $1 ":" $2 ": " from[2] " includes " $3
        }'
}

no_folder() {
    includes | awk '$3 != "config.h" && $3 !~ /\// { print $1 ":" $2 ": " $3 " without its folder" }'
}

config_first() {
    local file
    sources | grep '\.c$' | while read -r file; do
        [[ $(grep -m 1 '^#include' "$file") == '#include "config.h"' ]] || echo "$file"
    done
}

sorted() {
    local file
    sources | while read -r file; do
        awk -v file="$file" '
            /^#include "config.h"/ { next }
            /^#include/ { if (previous != "" && $2 < previous) print file ":" NR ": " $2 " after " previous; previous = $2; next }
            { previous = "" }' "$file"
    done
}

holds "a layer includes itself and lower ones only" shared_layers
holds "applications do not include each other" application_layers
holds "a header is included with its folder" no_folder
holds "config.h comes first" config_first
holds "includes are sorted" sorted
ends
