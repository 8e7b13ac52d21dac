# What a start writes: the folders, the front's files, and the settings of the services. Sourced by ./run.
# shellcheck shell=bash

make_folders() {
    umask 077
    mkdir -p "$STATE"/{conf,data,log,run,tmp} "$STATE/conf"/{front,www}
}

# render FILE: puts in the values for the @NAME@s of a template.
render() {
    local user="" access="$STATE/log/access.log"
    if [[ $FRONT == nginx ]]; then
        access+=" tandem"
        ((EUID != 0)) || user="user root;"
    fi
    sed -e "s|@ADDRESS@|$ADDRESS|g" -e "s|@PORT@|$PORT|g" -e "s|@URL@|$URL|g" -e "s|@STATE@|$STATE|g" \
        -e "s|@RUN@|$STATE/run|g" -e "s|@CONF@|$STATE/conf/front|g" -e "s|@WWW@|$STATE/conf/www|g" \
        -e "s|@USER@|$user|g" -e "s|@WORKERS@|auto|g" -e "s|@ACCESS_LOG@|$access|g" \
        -e "s|@FILES_MAX@|$FILES_MAX|g" -e "s|@CONNECTIONS_MAX@|$((FILES_MAX / 2 - 64))|g" \
        -e "s|@BODY_MAX_BYTES@|1048576|g" -e "s|@BODY_MAX_KIB@|1024|g" < <(each_instance "$1")
}

# each_instance FILE: the template, with what it says of a service's socket said of each of its processes: in nginx's a
# line, in lighttpd's what is between ( and ).
each_instance() {
    awk -v instances="$INSTANCES" '
        function repeat(text, join, first, number, all, one) {
            for (number = 1; number <= instances; number++) {
                one = text
                if (number > 1)
                    sub(/\.sock/, "-" number ".sock", one)
                all = all (number > 1 ? join : "") one
            }
            return all
        }
        /@RUN@\/[a-z]+\.sock/ && /;$/ { print repeat($0, "\n"); next }
        /@RUN@\/[a-z]+\.sock/ {
            block = $0
            while (block !~ /\)\),?$/ && (getline line) > 0)
                block = block "\n" line
            end = match(block, /\)\),?$/)
            print repeat(substr(block, 1, end - 1), "), (\n") substr(block, end)
            next
        }
        { print }' "$1"
}

make_front_files() {
    local file
    rm -f "$STATE"/conf/front/*
    for file in "$SOURCE/etc/$FRONT"/*; do
        case $file in
            *.in) render "$file" >"$STATE/conf/front/$(basename "$file" .in)" ;;
            *) [[ -e $file.in ]] || cp "$file" "$STATE/conf/front/" ;;
        esac
    done
    render "$SOURCE/etc/www/index.html.in" >"$STATE/conf/www/index.html"
}

bus_settings() {
    if has_engine rabbitmq; then
        printf 'url = "%s"; password_file = "%s";' "$(rabbitmq_url)" "$STATE/conf/rabbitmq.password"
    else
        printf 'url = "embedded:%s/data/bus.db";' "$STATE"
    fi
}

# database_of SERVICE: where its data is.
database_of() {
    if has_engine postgresql; then postgresql_url "$1"; else printf '%s/data/%s.db\n' "$STATE" "$1"; fi
}

# Beside the path lies what the processes of this machine share, wherever the data is.
database_settings() {
    printf 'path = "%s/data/%s.db";' "$STATE" "$1"
    ! has_engine postgresql || printf ' url = "%s";' "$(postgresql_url "$1")"
}

# Whose front each of them is reached at, the command line of each process tells (etc/run/system.sh). lighttpd sends nothing
# twice that it has sent, so that who ends takes requests until the list is written.
discovery_settings() {
    printf 'discovery = { driver = "etcd"; servers = "%s"; ttl_ms = %s; };\n' "$(etcd_servers)" "$RECORD_TTL_MS"
    [[ $FRONT != lighttpd ]] || printf 'server = { drain_delay_ms = 1000; };\n'
}

cache_settings() {
    printf 'cache = { driver = "redis"; redis_url = "%s"; };\n' "$(redis_url)"
}

make_settings() {
    local name
    {
        printf '# Made anew by each ./run start.\n'
        printf 'bus = { %s };\n' "$(bus_settings)"
        ! has_engine etcd || discovery_settings
        ! has_engine redis || cache_settings
        printf 'user = { url = "%s"; };\n' "$URL"
        printf 'log = { format = "text"; };\n'
        printf 'service = {\n'
        for name in "${SERVICES[@]}"; do
            printf '    %s = { db = { %s }; user = { token_file = "%s"; }; };\n' \
                "$name" "$(database_settings "$name")" "$STATE/conf/$name.token"
        done
        printf '};\n'
    } >"$STATE/conf/tandem.conf"
    cp "$SOURCE"/etc/tandem.*.conf "$STATE/conf/"   # for whoever has TANDEM_ENV set
}
