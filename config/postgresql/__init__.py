"""Django's PostgreSQL backend, with a rollback that keeps what is prepared."""
