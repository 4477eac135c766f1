#!/bin/sh
# Prints an `.env` with fresh secrets for compose.yaml: ./deploy/compose/make-secrets.sh wallet.example.com >.env
set -eu
host=${1:?give the host name that clients use}
umask 077
hex() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
key() { printf 'k%s:%s' "$(date +%Y%m%d)" "$(head -c 32 /dev/urandom | base64 | tr -d '\n')"; }
cat <<EOF
PUBLIC_URL=https://$host
ALLOWED_HOSTS=$host
PAYMENT_PROCESSOR=stripe
STRIPE_API_KEY=
SECRET_KEY=$(hex)
JWT_SIGNING_KEYS=$(key)
ENCRYPTION_KEYS=$(key)
POSTGRES_PASSWORD=$(hex)
OWNER_DATABASE_PASSWORD=$(hex)
APP_DATABASE_PASSWORD=$(hex)
BACKUP_DATABASE_PASSWORD=$(hex)
BACKUP_KEYS=$(key)
VALKEY_PASSWORD=$(hex)
GRAFANA_PASSWORD=$(hex)
EOF
