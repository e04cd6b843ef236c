#!/bin/sh
# Starts the process that the container's first argument names; anything else is a command of unde-catalog.
set -eu

# Read by healthcheck.py. /tmp is writable also where the root file system is not.
printf '%s' "${1:-}" >/tmp/unde-process

# A new image brings its dagster.yaml, so the home on the volume has a link to it.
mkdir -p "$DAGSTER_HOME"
ln -sfn /etc/unde/dagster.yaml "$DAGSTER_HOME/dagster.yaml"

case "${1:-}" in
webserver)
    shift
    exec dagster-webserver -h 0.0.0.0 -p 3000 -w /etc/unde/workspace.yaml "$@"
    ;;
daemon)
    shift
    exec dagster-daemon run -w /etc/unde/workspace.yaml "$@"
    ;;
code)
    shift
    exec dagster api grpc -h 0.0.0.0 -p 4000 -m unde_catalog.definitions --location-name unde_catalog "$@"
    ;;
worker)
    shift
    exec unde-catalog worker "$@"
    ;;
search)
    shift
    exec unde-catalog search serve --host 0.0.0.0 --port 8008 "$@"
    ;;
user-media)
    shift
    exec unde-catalog user-media serve "$@"
    ;;
sandbox)
    shift
    exec python -m unde_catalog.sandbox --host 0.0.0.0 --port 8790 --state-dir "$UNDE_HOME/sandbox-of-demo" "$@"
    ;;
demo)
    exec demo.py webserver
    ;;
*)
    exec unde-catalog "$@"
    ;;
esac
