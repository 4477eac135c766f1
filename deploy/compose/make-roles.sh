#!/bin/sh
# Runs once, when the database's volume is new: the same roles as everywhere, with the passwords of `.env`.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 \
    --set "owner_password=$OWNER_DATABASE_PASSWORD" --set "application_password=$APP_DATABASE_PASSWORD" \
    --file /roles/roles.sql
