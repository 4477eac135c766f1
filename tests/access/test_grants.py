"""What the application's role may do in the database: the listed privileges, and not one more."""

import re

import pytest
from django.conf import settings

from config.database_grants import PRIVILEGES
from tests.factories.schema import fetched

pytestmark = pytest.mark.django_db

ROLE = settings.DATABASES["default"]["USER"]


def listed(privileges: str) -> set[str]:
    """Read one line of the list: `{"SELECT", "UPDATE (status)"}`."""
    columns = re.search(r"UPDATE \(([^)]*)\)", privileges)
    whole = privileges.replace(columns[0], "") if columns else privileges
    found = {word for word in re.split(r"[,\s]+", whole) if word}
    if columns:
        found |= {f"UPDATE ({column.strip()})" for column in columns[1].split(",")}
    return found


def test_when_the_grants_are_read_from_the_database_then_they_are_those_of_the_list():
    actual: dict[str, set[str]] = {
        name: set()
        for (name,) in fetched(
            "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v', 'm', 'f') AND NOT relispartition"
        )
    }
    for table, privilege in fetched(
        "SELECT c.relname::text, g.privilege_type FROM pg_class AS c, aclexplode(c.relacl) AS g"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND g.grantee = %s::regrole",
        ROLE,
    ):
        actual.setdefault(table, set()).add(privilege)
    for table, column, privilege in fetched(
        "SELECT c.relname::text, a.attname::text, g.privilege_type FROM pg_attribute AS a"
        " JOIN pg_class AS c ON c.oid = a.attrelid, aclexplode(a.attacl) AS g"
        " WHERE c.relnamespace = 'public'::regnamespace AND g.grantee = %s::regrole",
        ROLE,
    ):
        actual.setdefault(table, set()).add(f"{privilege} ({column})")

    assert actual == {table: listed(privileges) for table, privileges in PRIVILEGES.items()}


def test_when_everybody_s_grants_are_read_then_the_public_has_none():
    granted = fetched(
        "SELECT c.relname::text FROM pg_class AS c, aclexplode(c.relacl) AS g"
        " WHERE c.relnamespace = 'public'::regnamespace AND g.grantee = 0"
    )

    assert granted == []


def test_when_the_role_is_looked_at_then_it_owns_nothing_and_rules_nothing():
    owned = fetched("SELECT relname::text FROM pg_class WHERE relowner = %s::regrole", ROLE)
    powers = fetched(
        "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles"
        " WHERE rolname = %s",
        ROLE,
    )
    memberships = fetched("SELECT 1 FROM pg_auth_members WHERE member = %s::regrole", ROLE)

    assert owned == []
    assert powers == [(False, False, False, False, False)]
    assert memberships == []
