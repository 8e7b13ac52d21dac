#!/bin/bash
# Each event has a schema, a row in doc/events.md, and examples that are tried on who handles it.
# shellcheck source=check/tree/tap.sh
. "$(dirname "$0")/tap.sh"

SCHEMAS=etc/events PAGE=doc/events.md EXAMPLES=check/unit/event_examples.tsv
VALIDATOR=check/harness/event_schemas.py

# The types in the code; comments are left out.
types() {
    find "$@" -name '*.[ch]' -exec sed -E 's|/\*.*||; s|^ \*.*||' {} + | grep -oE '"[a-z_]+(\.[a-z_]+)+\.v[0-9]+"' | tr -d '"' | sort -u
}

schemas() {
    find "$SCHEMAS" -name '*.schema.json' -printf '%f\n' | sed 's/\.schema\.json$//' | grep -vx envelope | sort
}

# The first column of the table.
# shellcheck disable=SC2016   # the page's own back quotes
rows() {
    sed -nE 's/^\| `([a-z_.]+\.v[0-9]+)` \|.*/\1/p' "$PAGE" | sort
}

# Types in handlers' tables: "{"order.placed.v1", order_placed},".
handled() {
    grep -hoE '^ *\{"[a-z_.]+\.v[0-9]+", [a-z_]+\},' apps/*/*.c | grep -oE '[a-z_]+(\.[a-z_]+)+\.v[0-9]+' | sort -u
}

# Types in the tables that control_validate_events() is given.
validated() {
    grep -l control_validate_events check/service/test_*.c | while read -r file; do
        awk '/types\[\] = \{/ { inside = 1 } inside { print } /\};/ { inside = 0 }' "$file"
    done | grep -oE '"[a-z_]+(\.[a-z_]+)+\.v[0-9]+"' | tr -d '"' | sort -u
}

differing() {
    comm -23 <("$1") <("$2") | sed "s|\$|: $3|"
}

emitted() {
    types apps shared/app
}

unmade_examples() {
    python3 "$VALIDATOR" examples "$SCHEMAS" | diff - "$EXAMPLES" >/dev/null ||
        echo "$EXAMPLES is not what the schemas say; run make update-event-examples"
}

wrong_examples() {
    python3 "$VALIDATOR" verify "$SCHEMAS" <"$EXAMPLES"
}

# What is in the table as handled by a service is in its table of handlers, and the other way round.
unlisted_handlers() {
    local type
    handled | while read -r type; do
        grep -qE "^\| \`${type//./\\.}\` \| [a-z]+ \| [^|]*(order|inventory)" "$PAGE" || echo "$type: $PAGE does not say who handles it"
    done
}

holds "each event in the code has a schema" differing emitted schemas "it has no schema in $SCHEMAS"
holds "each schema is of an event in the code" differing schemas emitted "nothing in the code is called so"
holds "each event that is handled has a schema" differing handled schemas "it has no schema in $SCHEMAS"
holds "each event is in $PAGE" differing schemas rows "it has no row in $PAGE"
holds "each row of $PAGE is of an event" differing rows schemas "it has no schema"
holds "who handles an event is in $PAGE" unlisted_handlers
holds "each event is emitted and validated in a service test" differing schemas validated "no check/service/test_*.c asks for it"
if python3 -c 'import jsonschema' 2>/dev/null; then
    holds "the schemas are schemas, and closed to nothing that may come" python3 "$VALIDATOR" check "$SCHEMAS"
    holds "the examples are those of the schemas" unmade_examples
    holds "the examples are what they say they are" wrong_examples
else
    for name in "the schemas are schemas" "the examples are those of the schemas" "the examples are what they say they are"; do
        skips "$name" "python3-jsonschema is not installed"
    done
fi
ends
