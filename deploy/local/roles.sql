-- The embedded server's roles and database; psql runs it at every start, with the passwords as its variables.
-- The owner migrates and makes partitions; the application's role can change rows and nothing else.
SELECT 'CREATE ROLE open_wallet_owner'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'open_wallet_owner') \gexec
SELECT 'CREATE ROLE open_wallet_app'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'open_wallet_app') \gexec

-- CREATEDB: the test suite makes its own databases.
ALTER ROLE open_wallet_owner LOGIN CREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION PASSWORD :'owner_password';
ALTER ROLE open_wallet_app LOGIN NOCREATEDB NOSUPERUSER NOCREATEROLE NOREPLICATION PASSWORD :'application_password';

-- A dead client or a forgotten transaction must not hold a wallet's lock. By role, so that it holds behind pgBouncer too.
ALTER ROLE open_wallet_owner SET lock_timeout = '10s';
ALTER ROLE open_wallet_owner SET client_connection_check_interval = '2s';
ALTER ROLE open_wallet_app SET timezone = 'UTC';
-- What is prepared is planned once: a plan for each set of wallet ids costs half of locking them.
ALTER ROLE open_wallet_app SET plan_cache_mode = 'force_generic_plan';
ALTER ROLE open_wallet_app SET statement_timeout = '30s';
ALTER ROLE open_wallet_app SET lock_timeout = '4s';
ALTER ROLE open_wallet_app SET idle_in_transaction_session_timeout = '15s';
ALTER ROLE open_wallet_app SET client_connection_check_interval = '2s';

SELECT 'CREATE DATABASE open_wallet OWNER open_wallet_owner'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'open_wallet') \gexec
REVOKE ALL ON DATABASE open_wallet FROM PUBLIC;
GRANT CONNECT ON DATABASE open_wallet TO open_wallet_app;
