"""The app's own first migration, from which the tests go on."""

from importlib import import_module

Migration = import_module("config.migrations.0001_rate_limit_counter").Migration
