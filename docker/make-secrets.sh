#!/bin/sh
# Creates the secrets of compose.yaml in docker/secrets, with new passwords. Files that exist stay as they are.
#
# The folder is yours alone. The files in it are readable by all, since the processes in containers are other users.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
secret() { # NAME VALUE
    [ -e "secrets/$1" ] || (umask 022 && printf '%s\n' "$2" >"secrets/$1" && echo "created docker/secrets/$1")
}

secret postgres_password "$(random)"
postgres=$(cat secrets/postgres_password)
secret pgbouncer_users "\"undeuser\" \"$postgres\""
secret staging_db_url "postgresql://undeuser:$postgres@pgbouncer:6432/unde_staging"
secret production_db_url "postgresql://undeuser:$postgres@pgbouncer:6432/unde_main"
secret dagster_db_url "postgresql://undeuser:$postgres@postgres:5432/dagster"
secret backup_db_url "postgresql://undeuser:$postgres@postgres:5432/unde_staging"
redis=$(random)
secret redis_users "user default on >$redis ~* &* +@all"
secret redis_url "redis://:$redis@redis:6379/0"
nats=$(random)
secret nats_user "user: unde, password: \"$nats\""
secret nats_url "nats://unde:$nats@nats:4222"
secret s3_access_key "$(random)"
secret s3_secret_key "$(random)"
secret grafana_password "$(random)"
