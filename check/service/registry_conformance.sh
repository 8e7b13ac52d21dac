#!/bin/bash
# Writes the table of what every way of discovery holds, as Markdown, of what its programs said.
#     registry_conformance.sh TEST_REGISTRY_C TAP-OUTPUT...    the cases, as they stand in their table; a file a registry
set -u

CASES=$1
shift

# The names of the cases, in order.
cases() {
    sed -nE 's/^.*\{"(.*)", (registry_case|test_table)[a-z_]*\}\},$/\1/p' "$CASES"
}

# What a registry's output says of a case: TAP's "ok 3 - registry on NAME: CASE".
outcome() {
    awk -v name="$2" '
        /^(not )?ok [0-9]+ - / {
            line = $0; sub(/^[^:]*: /, "", line); skipped = sub(/ # SKIP.*/, "", line)
            if (line == name) { print skipped ? "not run" : /^not/ ? "**fails**" : "holds"; found = 1 }
        }
        END { if (!found) print "–" }' "$1"
}

# "registry on NAME" of the first line that has it.
registry() {
    sed -nE 's/^(not )?ok [0-9]+ - registry on ([^:]*): .*/\2/p' "$1" | head -n 1
}

cat <<'HEAD'
# What every way of discovery holds

The conformance suite of [discovery/discovery.h](../shared/discovery/discovery.h) (`check/service/test_registry.c`), as it
came out on each kind of registry; made by `make update-discovery-conformance`. A dash: that kind has nothing of the sort.

HEAD

header="| Case |" rule="|---|"
for output in "$@"; do
    header+=" $(registry "$output") |" rule+="---|"
done
printf '%s\n%s\n' "$header" "$rule"
cases | while read -r name; do
    row="| $name |"
    for output in "$@"; do
        row+=" $(outcome "$output" "$name") |"
    done
    printf '%s\n' "$row"
done

cat <<'TAIL'

What a registry lacks:

- `static` is the settings: nothing can be away, and nothing is registered.
- The DNS has neither ids nor versions nor zones; who runs the instances registers them. dnsmasq stands for any server.
- Consul is a stand-in, written from the public documentation of its HTTP API (`check/harness/registry_consul.c`), since
  there is no package of it. With `TANDEM_TEST_CONSUL=HOST:PORT` the suite runs on a real agent
  (`check/service/test_registry_consul_real`), but for the cases in which it would be away.
- Only etcd has a history that can be cut, and is run as a cluster whose leader is killed.
TAIL
