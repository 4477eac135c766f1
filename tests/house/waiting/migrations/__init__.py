"""Migrations that only tests run: the tests' own continuation of the app `config`."""
