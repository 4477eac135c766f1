"""Which database connection does what: the application's role works, the owner's role migrates."""

from typing import Any


class OwnerMigrates:
    """Route every query to the application's connection; `migrate --database owner` uses the owner's."""

    def db_for_read(self, model: type, **hints: Any) -> str:
        return "default"

    def db_for_write(self, model: type, **hints: Any) -> str:
        return "default"

    def allow_relation(self, first: object, second: object, **hints: Any) -> bool:
        return True
