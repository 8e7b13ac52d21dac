# Processes that outlive ./run: each is in a session of its own and is known by a file STATE/run/NAME.pid with its id and
# the time it was started, so that a process that got the same id later is never taken for it. Sourced by ./run.
# shellcheck shell=bash

# The time a process was started, in clock ticks since boot (proc(5), stat, field 22; the name in field 2 may have blanks).
process_started() {
    local stat
    stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [[ $1 != Z ]] || return 1                  # it has ended, and nobody has looked yet
    printf '%s\n' "${20}"
}

# process_spawn NAME COMMAND…: in the background, output to its log. The pid stays the command's own, through setsid too.
process_spawn() {
    local name=$1 pid
    shift
    : >>"$STATE/log/$name.log"
    wc -l <"$STATE/log/$name.log" >"$STATE/tmp/$name.line"   # where what it says begins
    setsid "$@" </dev/null >>"$STATE/log/$name.log" 2>&1 9>&- &
    pid=$!
    # shellcheck disable=SC2034
    LATEST=$pid                            # for who has to undo this before the file is written
    disown "$pid"
    printf '%s %s\n' "$pid" "$(process_started "$pid")" >"$STATE/run/$name.pid"
}

# process_pid NAME: its id, when it runs and is ours: started when the file says, and from a program that we start.
process_pid() {
    process_of "$STATE/run/$1.pid"
}

# process_of FILE: the same for the process in this file.
process_of() {
    local pid started program
    { read -r pid started <"$1"; } 2>/dev/null || return 1
    [[ $started && $(process_started "$pid") == "$started" ]] || return 1
    program=$(readlink "/proc/$pid/exe") || return 1
    program=${program% (deleted)}
    case ${program##*/} in
        tandem-* | tandemctl | nginx | lighttpd | lighttpd-angel | spawn-fcgi | setsid | bash) printf '%s\n' "$pid" ;;
        postgres | beam.smp | epmd | etcd | redis-* | setpriv | dash | sh) printf '%s\n' "$pid" ;;
        *) return 1 ;;
    esac
}

# process_is_foreign NAME: whether it runs, but is of a user whose processes we may not look at.
process_is_foreign() {
    local pid started
    { read -r pid started <"$STATE/run/$1.pid"; } 2>/dev/null || return 1
    [[ $started && $(process_started "$pid") == "$started" ]] && ! readlink "/proc/$pid/exe" >/dev/null
}

# process_gone NAME TENTHS: waits for its end.
process_gone() {
    local tenths
    for ((tenths = 0; tenths < $2; tenths++)); do
        process_pid "$1" >/dev/null || return 0
        sleep 0.1
    done
    return 1
}

# process_stop NAME SIGNAL: asks it to end; what has not after ten seconds is killed with all that it started.
process_stop() {
    local pid
    if pid=$(process_pid "$1"); then
        kill -s "$2" "$pid" 2>/dev/null || true
        if ! process_gone "$1" 100; then
            say "$1 (process $pid) did not end when asked: killed" >&2
            kill -s KILL -- "-$pid" 2>/dev/null || true
            process_gone "$1" 50 || say "$1 (process $pid) is still there" >&2
        fi
    fi
    stop_kept "$1" "$2"
    rm -f "$STATE/run/$1.pid"
}

# stop_kept NAME SIGNAL: ends the program of a keeper (etc/run/keep.sh) that was killed, and has left it alone.
stop_kept() {
    process_end "$STATE/run/$1.program" "$2"
}

# process_end FILE SIGNAL: asks the process in this file to end; one that has not after ten seconds is killed.
process_end() {
    local pid tenths
    if pid=$(process_of "$1"); then
        kill -s "$2" "$pid" 2>/dev/null || true
        for ((tenths = 0; tenths < 100; tenths++)); do
            process_of "$1" >/dev/null || break
            sleep 0.1
        done
        ! process_of "$1" >/dev/null || kill -s KILL "$pid" 2>/dev/null || true
    fi
    rm -f "$1"
}
