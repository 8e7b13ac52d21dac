# What the system may run on besides what is built in: private instances from Debian's packages, whose files are in
# STATE, whose ports are of their own, and which no system service knows of. Sourced by ./run.
#
# An engine is a name in ENGINES, a class of that name in etc/debian-packages, and a file engine-NAME.sh with the functions
# engine_NAME_parts, the names of its processes, and engine_NAME_start, which returns when it answers. What the services
# are told of it is in etc/run/settings.sh.
# shellcheck shell=bash

# Those whose ports are kept with their data come before those that choose new ones.
# shellcheck disable=SC2034
ENGINES=(postgresql rabbitmq etcd redis)
ENGINE_WAIT_S=120                        # for it to answer, on a slow machine that starts a whole cluster

has_engine() {
    [[ " ${WITH[*]} " == *" $1 "* ]]
}

# one_or COUNT: of an engine's processes, when there are several instances of each service.
one_or() {
    if ((INSTANCES > 1)); then printf '%s\n' "$1"; else printf '1\n'; fi
}

# number_parts NAME COUNT
number_parts() {
    local number
    for ((number = 1; number <= $2; number++)); do
        printf '%s-%s\n' "$1" "$number"
    done
}

# What an engine runs as: none of them runs as root, so that root has Debian's user for it do it. That user may read
# what it passes on its way to a folder of its own, wherever STATE is.
AS_USER=(--init-groups "--securebits=+no_setuid_fixup" "--inh-caps=-all,+dac_read_search"
         "--ambient-caps=-all,+dac_read_search")

as_user() {
    local user=$1
    shift
    if ((EUID == 0)); then
        setpriv "${AS_USER[@]}" --reuid "$user" --regid "$user" "$@"
    else
        "$@"
    fi
}

# engine_folder NAME USER: makes its folder, for it alone.
engine_folder() {
    mkdir -p "$STATE/$1"
    ((EUID != 0)) || chown "$2:$2" "$STATE/$1"
    chmod 700 "$STATE/$1"
}

# engine_spawn PART SIGNAL USER COMMAND…: in the background, and again when it ends.
engine_spawn() {
    local part=$1 signal=$2 user=$3
    shift 3
    local -a command=("$@")
    if ((EUID == 0)); then
        command=(setpriv "${AS_USER[@]}" --reuid "$user" --regid "$user" "$@")
    fi
    process_spawn "$part" "$SOURCE/etc/run/keep.sh" "$STATE/run/$part.program" "$signal" "${command[@]}"
}

free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    printf '%s\n' "$port"
}

# ---- those that begin empty each time: what they know is of processes that run ----

# ports_of NAME COUNT: the first of them.
ports_of() {
    head -n "$2" "$STATE/run/$1.ports"
}

# begin_empty NAME COUNT: a new folder, and ports that nobody has: one for clients of each process, then one for the others.
begin_empty() {
    local -A ports=()
    rm -rf "${STATE:?}/$1"
    engine_folder "$1" "$1"
    while ((${#ports[@]} < 2 * $2)); do
        ports[$(free_port)]=yes
    done
    printf '%s\n' "${!ports[@]}" >"$STATE/run/$1.ports"
}

# start_members NAME COUNT: NAME_member_start NUMBER for each process, which finds all the ports in $ports; returns when
# NAME_answers PORT is true of each.
start_members() {
    local name=$1 count=$2 number
    local -a ports
    begin_empty "$name" "$count"
    mapfile -t ports < <(ports_of "$name" "$((2 * count))")
    for ((number = 1; number <= count; number++)); do
        "${name}_member_start" "$number"
    done
    for ((number = 1; number <= count; number++)); do
        WAIT_S=$ENGINE_WAIT_S wait_for "an answer of $name" "$name-$number" "${name}_answers" "${ports[number - 1]}"
    done
}

for engine in "${ENGINES[@]}"; do
    # shellcheck source=/dev/null
    . "$SOURCE/etc/run/engine-$engine.sh"
done
