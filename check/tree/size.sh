#!/bin/bash
# Files of at most 600 lines, functions of at most 100. Tables are no functions.
# shellcheck source=check/tree/tap.sh
# shellcheck disable=SC2016   # awk's own variables
. "$(dirname "$0")/tap.sh"

FILE_MAX=600 FUNCTION_MAX=100

long_files() {
    sources | xargs wc -l | awk -v most="$FILE_MAX" '$2 != "total" && $1 > most { print $2 ": " $1 " lines" }'
    wc -l run .ci/run etc/run/*.sh check/*/*.sh 2>/dev/null |
        awk -v most="$FILE_MAX" '$2 != "total" && $1 > most { print $2 ": " $1 " lines" }'
}

# A function begins with a brace in the first column, or with a line that starts there and ends with ") {".
long_functions() {
    sources | xargs awk -v most="$FUNCTION_MAX" '
        FNR == 1 { start = 0 }
        /^\{/ || /^[a-z].*\) \{$/ { start = FNR }
        /^\}/ {
            if (start && FNR - start + 1 > most && $0 !~ /^\} *[;,]/)
                print FILENAME ":" start ": " FNR - start + 1 " lines"
            start = 0
        }'
}

long_lines() {
    local LC_ALL=C
    export LC_ALL
    # Bytes that continue a UTF-8 character are not columns.
    sources | xargs awk '
        { columns = $0; gsub(/[\200-\277]/, "", columns) }
        length(columns) > 120 { print FILENAME ":" FNR ": " length(columns) " columns" }'
}

holds "no file is over $FILE_MAX lines" long_files
holds "no function is over $FUNCTION_MAX lines" long_functions
holds "no line is over 120 columns" long_lines
ends
