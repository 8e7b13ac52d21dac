# PostgreSQL, in place of SQLite: behind a socket in a folder that only its user and root can enter. Sourced by
# etc/run/engines.sh.
# shellcheck shell=bash

engine_postgresql_parts() {
    printf 'postgresql\n'
}

postgresql_bin() {
    local -a found
    mapfile -t found < <(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V)
    [[ -x ${found[-1]}/postgres ]] || fail "PostgreSQL is not installed (package postgresql)"
    printf '%s\n' "${found[-1]}"
}

postgresql_url() {
    printf 'postgresql://tandem@/tandem_%s?host=%s\n' "$1" "$STATE/postgresql"
}

engine_postgresql_start() {
    local bin data=$STATE/postgresql/data name
    bin=$(postgresql_bin)
    engine_folder postgresql postgres
    if [[ ! -s $data/PG_VERSION ]]; then
        as_user postgres "$bin/initdb" -D "$data" -U tandem -A trust -E UTF8 --locale=C >"$STATE/log/postgresql.log" 2>&1 ||
            fail "the database cluster could not be made; see $STATE/log/postgresql.log"
    fi
    engine_spawn postgresql INT postgres "$bin/postgres" -D "$data" -c "listen_addresses=" \
        -c "unix_socket_directories=$STATE/postgresql" -c unix_socket_permissions=0700 -c max_connections=200
    WAIT_S=$ENGINE_WAIT_S wait_for "an answer of PostgreSQL" postgresql "$bin/pg_isready" -q -h "$STATE/postgresql" -U tandem -d postgres
    for name in "${SERVICES[@]}"; do
        "$bin/psql" -h "$STATE/postgresql" -U tandem -d postgres -Atqc \
            "SELECT 1 FROM pg_database WHERE datname = 'tandem_$name'" | grep -qx 1 ||
            "$bin/createdb" -h "$STATE/postgresql" -U tandem -T template0 "tandem_$name"
    done
}
