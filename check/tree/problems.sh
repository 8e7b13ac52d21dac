#!/bin/bash
# Each type of problem that a client may meet is in doc/problems.md, with its status, and no other is.
# shellcheck source=check/tree/tap.sh
. "$(dirname "$0")/tap.sh"

PAGE=doc/problems.md

# The types of error codes, with their statuses: "not-found 404".
of_codes() {
    sed -nE 's/^ *ROW\(ERR_([A-Z_]+), ([0-9]+),.*/\1 \2/p' shared/base/err.h | grep -v '^NONE ' | tr 'A-Z_' 'a-z-'
}

# Types of their own, with the statuses of the codes they come with.
of_routes() {
    local code type
    cat apps/*/*.c shared/app/*.c | tr '\n' ' ' | grep -oE 'call_refuse\(call, [^,]+, +"[a-z-]+"' |
        sed -E 's/call_refuse\(call, ([A-Za-z_]+), +"([a-z-]+)"/\1 \2/' | while read -r code type; do
        printf '%s %s\n' "$type" "$(sed -nE "s/^ *ROW\\($code, ([0-9]+),.*/\\1/p" shared/base/err.h)"
    done
}

# "too-large 413", of both fronts; one that is for any other status has none.
of_fronts() {
    sed -nE 's|^ *([0-9]+) .*"/problems/([a-z-]+)".*|\2 \1|p; s|^ *default .*"/problems/([a-z-]+)".*|\1|p' etc/nginx/tandem.conf.in
    local file
    for file in etc/lighttpd/problem.*.html; do
        sed -nE "s|.*/problems/([a-z-]+).*|\\1 $(basename "$file" | grep -oE '[0-9]+')|p" "$file"
    done
}

all() {
    { of_codes; of_routes; of_fronts; } | sort -u
}

# The first two columns of the page's tables.
rows() {
    sed -nE 's/^\| (`[^|]*) \| ([^|]*) \|.*/\1 | \2/p' "$PAGE" | grep /problems/
}

# Both are asked for each line of the other, and gathered once.
ALL=$(all) ROWS=$(rows)

unlisted() {
    local type status
    while read -r type status; do
        grep -qE "\`/problems/$type\`.*\|.*$status" <<<"$ROWS" || echo "$type, with $status, is not in $PAGE"
    done <<<"$ALL"
}

unknown() {
    local type
    grep -oE '/problems/[a-z-]+' <<<"$ROWS" | while read -r type; do
        grep -qE "^${type#/problems/}( |\$)" <<<"$ALL" || echo "nothing answers with $type"
    done
}

holds "each type of problem is in $PAGE with its status" unlisted
holds "each type of problem in $PAGE is one" unknown
ends
