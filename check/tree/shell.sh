#!/bin/bash
# The shell scripts, as shellcheck sees them.
# shellcheck source=check/tree/tap.sh
. "$(dirname "$0")/tap.sh"

if command -v shellcheck >/dev/null; then
    holds "./run and its parts are clean" shellcheck -x -f gcc run .ci/run container/run
    holds "the test scripts are clean" shellcheck -x -f gcc -P SCRIPTDIR check/*/*.sh
else
    skips "./run and its parts are clean" "there is no shellcheck"
fi
ends
