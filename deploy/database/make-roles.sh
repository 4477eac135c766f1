#!/bin/sh
# Patroni calls this once, on the first primary, with the superuser's connection as its argument.
set -eu
psql "$1" --set ON_ERROR_STOP=1 \
    --set "owner_password=$OWNER_DATABASE_PASSWORD" --set "application_password=$APP_DATABASE_PASSWORD" \
    --file /wallet/roles.sql
psql "$1" --set ON_ERROR_STOP=1 --set "backup_password=$BACKUP_DATABASE_PASSWORD" --file /wallet/backup-role.sql
