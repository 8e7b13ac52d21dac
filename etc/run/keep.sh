#!/bin/bash
# Keeps a program running: starts it again when it ends, until this is told to end itself.
#
#     keep.sh FILE SIGNAL PROGRAM [ARGUMENT...]
#
# FILE gets the program's id and when it was started (etc/run/processes.sh), so that whoever stops the system finds it
# even when this has been killed; one that is still there from such a time is ended first. SIGNAL asks it to end.
set -u
FILE=$1 SIGNAL=$2 CHILD="" STOPPING=no
shift 2
# shellcheck source=etc/run/processes.sh
. "$(dirname "${BASH_SOURCE[0]}")/processes.sh"

# Ten starts in ten seconds are no accident: it is left to whoever looks at the log.
STARTS_MAX=10 STARTS_WITHIN=10 PAUSE_S=0.3

end() {
    STOPPING=yes
    [[ -z $CHILD ]] || kill -s "$SIGNAL" "$CHILD" 2>/dev/null
}
trap end TERM INT HUP

# One that an earlier keeper left behind would be in the way of the next.
process_end "$FILE" "$SIGNAL"
starts=0 since=$SECONDS
while [[ $STOPPING == no ]]; do
    "$@" &
    CHILD=$!
    [[ $STOPPING == no ]] || end           # was told between the two
    printf '%s %s\n' "$CHILD" "$(process_started "$CHILD")" >"$FILE"
    wait "$CHILD"
    status=$?
    while kill -0 "$CHILD" 2>/dev/null; do
        wait "$CHILD"
        status=$?
    done
    [[ $STOPPING == no ]] || break
    ((SECONDS - since <= STARTS_WITHIN)) || starts=0 since=$SECONDS
    if ((++starts >= STARTS_MAX)); then
        printf 'keep: %s ends again and again, with %s; it is left so\n' "$1" "$status" >&2
        exit 1
    fi
    printf 'keep: %s has ended, with %s; it is started again\n' "$1" "$status" >&2
    sleep "$PAUSE_S" &                 # what it has left behind may take a moment to go
    wait $!
done
rm -f "$FILE"
