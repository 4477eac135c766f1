-- Who takes backups and receives the log: replication and nothing else. psql runs it with the password as its variable.
SELECT 'CREATE ROLE open_wallet_backup'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'open_wallet_backup') \gexec
ALTER ROLE open_wallet_backup LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'backup_password';
