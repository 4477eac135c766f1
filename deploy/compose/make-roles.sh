#!/bin/sh
# Runs once, when the database's volume is new: the same roles as everywhere, with the passwords of `.env`.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 \
    --set "owner_password=$OWNER_DATABASE_PASSWORD" --set "application_password=$APP_DATABASE_PASSWORD" \
    --file /roles/roles.sql
# Backups are optional: `--profile backup`.
if [ -n "${BACKUP_DATABASE_PASSWORD:-}" ]; then
    psql --username postgres --set ON_ERROR_STOP=1 --set "backup_password=$BACKUP_DATABASE_PASSWORD" \
        --file /roles/backup-role.sql
    echo "host replication open_wallet_backup all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
