#!/bin/bash
# Writes the table of what every kind of bus holds, as Markdown, of what its programs said.
#     bus_conformance.sh TEST_BUS_C TAP-OUTPUT...       the cases, as they stand in their table; a file a broker
set -u

CASES=$1
shift

# The names of the cases, in order.
cases() {
    sed -nE 's/^    \{[A-Z_0-9]+, \{"(.*)", [a-z_]+\}\},$/\1/p' "$CASES"
}

# What a broker's output says of a case: TAP's "ok 3 - bus on NAME: CASE".
outcome() {
    awk -v name="$2" '
        /^(not )?ok [0-9]+ - / {
            line = $0; sub(/^[^:]*: /, "", line); skipped = sub(/ # SKIP.*/, "", line)
            if (line == name) { print skipped ? "not run" : /^not/ ? "**fails**" : "holds"; found = 1 }
        }
        END { if (!found) print "–" }' "$1"
}

# "bus on NAME" of the first line that has it.
broker() {
    sed -nE 's/^(not )?ok [0-9]+ - bus on ([^:]*): .*/\2/p' "$1" | head -n 1
}

cat <<'HEAD'
# What every bus holds

The conformance suite of [events/bus.h](../shared/events/bus.h) (`check/service/test_bus.c`), as it came out on each kind of
broker; made by `make update-bus-conformance`, with the broker away for a minute and a backlog of 100,000 events. A dash: that
kind of broker has nothing of the sort.

HEAD

header="| Case |" rule="|---|"
for output in "$@"; do
    header+=" $(broker "$output") |" rule+="---|"
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

What a broker lacks:

- The embedded bus is a file: it has no process that could be away, and gives nothing up.
- RabbitMQ cannot be looked into without taking events out, and keeps none for groups that it does not know: those of
  `bus.groups` are known from the first publication on, any other from when it first subscribes.
- Kafka is librdkafka's mock cluster here, in a process of its own; `TANDEM_TEST_KAFKA=host:port` has `test_bus_kafka_real` run the same on
  a real one. The mock's log is in memory: "away" and "killed" cut all its brokers off, and that a disk keeps what was confirmed is not
  shown. It makes topics by itself, with four partitions, and never refuses one; elects no other leader, so that no node of it is killed;
  waits for most of a session's time at each rebalance; keeps the newest 5 MB of a partition; and knows no times, groups' names, SASL, TLS
  or transactions. Kafka gives nothing up by itself: what ends its consumer again and again has to be skipped by an operator.
TAIL
