"""Every migration can run while the version before it serves: it rewrites nothing, locks nothing for long, takes nothing away."""

import pytest
from django.db import connections
from django.db.migrations import Migration, RunPython
from django.db.migrations.loader import MigrationLoader

from tests.house.migration_rules import breaches
from tests.house.test_migrations import APPS

BEFORE_THE_FIRST_RELEASE = {
    ("events", "0004_audit_by_action"),
    ("events", "0009_webhooks"),
    ("payments", "0005_occasions_of_top_ups"),
    ("payments", "0006_sessions_and_methods"),
    ("payments", "0007_refund_decisions"),
}
"""No installation ever ran without them: the list is closed, and a migration that is written now can't join it."""


@pytest.fixture(scope="module")
def loader(django_db_setup: None, django_db_blocker) -> MigrationLoader:
    with django_db_blocker.unblock():
        return MigrationLoader(connections["owner"], replace_migrations=False)


def of_ours(loader: MigrationLoader) -> dict[tuple[str, str], Migration]:
    return {key: each for key, each in loader.disk_migrations.items() if key[0] in APPS}


def test_when_a_migration_runs_then_the_version_before_goes_on_serving(
    loader: MigrationLoader, django_db_blocker
) -> None:
    with django_db_blocker.unblock():
        found = {
            key: broken
            for key, migration in of_ours(loader).items()
            if (broken := breaches(loader.collect_sql([(migration, False)])))
            and key not in BEFORE_THE_FIRST_RELEASE
        }

    assert len(of_ours(loader)) >= 30
    assert found == {}


def test_when_a_migration_works_in_python_then_it_is_none_of_these_days(loader: MigrationLoader) -> None:
    """Rows are filled by sweeps, in portions; the SQL of Python can't be read before it runs."""
    working = {
        key
        for key, migration in of_ours(loader).items()
        if any(isinstance(operation, RunPython) for operation in migration.operations)
    }

    assert working <= BEFORE_THE_FIRST_RELEASE


def test_when_the_first_releases_exceptions_are_counted_then_each_still_is_one(
    loader: MigrationLoader, django_db_blocker
) -> None:
    with django_db_blocker.unblock():
        needless = {
            key
            for key in BEFORE_THE_FIRST_RELEASE
            if not breaches(loader.collect_sql([(loader.disk_migrations[key], False)]))
            and not any(isinstance(each, RunPython) for each in loader.disk_migrations[key].operations)
        }

    assert needless == set()


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ('ALTER TABLE "wallets_wallet" ADD COLUMN "tier" integer NOT NULL', "doesn't fill"),
        ('ALTER TABLE "t" ADD COLUMN "a" integer DEFAULT 0 NOT NULL; ALTER TABLE "t" ALTER COLUMN "a" DROP DEFAULT', "without a value"),
        ('ALTER TABLE "t" ADD COLUMN "a" uuid DEFAULT gen_random_uuid() NOT NULL', "isn't the same for every row"),
        ('ALTER TABLE "t" ADD COLUMN "a" timestamptz DEFAULT clock_timestamp()', "isn't the same for every row"),
        ('ALTER TABLE "t" ADD COLUMN "a" bigserial', "to fill the column"),
        ('ALTER TABLE "t" ADD COLUMN "a" int GENERATED ALWAYS AS (b * 2) STORED', "to fill the column"),
        ('ALTER TABLE "t" ADD COLUMN "a" varchar(9) NULL UNIQUE', "builds an index"),
        ('ALTER TABLE "t" ADD COLUMN "a" uuid NULL CONSTRAINT "f" REFERENCES "u" ("id")', "checks every row"),
        ('ALTER TABLE "t" ALTER COLUMN "a" TYPE bigint USING "a"::bigint', "for a new type"),
        ('ALTER TABLE "t" ALTER COLUMN "a" SET NOT NULL', "strongest lock"),
        ('ALTER TABLE "t" DROP COLUMN "a" CASCADE', "drops"),
        ('ALTER TABLE "t" RENAME COLUMN "a" TO "b"', "renames"),
        ('ALTER TABLE "t" RENAME TO "u"', "renames"),
        ('ALTER TABLE "t" ADD CONSTRAINT "c" CHECK ("a" > 0)', "NOT VALID"),
        ('ALTER TABLE "t" ADD CONSTRAINT "c" FOREIGN KEY ("a") REFERENCES "u" ("id") DEFERRABLE INITIALLY DEFERRED', "NOT VALID"),
        ('ALTER TABLE "t" ADD CONSTRAINT "c" UNIQUE ("a", "b")', "USING INDEX"),
        ('ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c', "of its own"),
        ('ALTER TABLE t ADD COLUMN a int NULL, DROP COLUMN b', "drops"),
        ('CREATE INDEX "i" ON "t" ("a")', "CONCURRENTLY"),
        ('CREATE UNIQUE INDEX "i" ON "t" ("a") WHERE "a" IS NOT NULL', "CONCURRENTLY"),
        ('DROP INDEX IF EXISTS "i"', "CONCURRENTLY"),
        ('DROP TABLE "t" CASCADE', "drops"),
        ("UPDATE t SET a = 'x; y' WHERE b", "in portions"),
        ("-- tidy\nDELETE FROM t", "in portions"),
        ("LOCK TABLE t", "as long as it takes"),
        ("TRUNCATE t", "as long as it takes"),
        ("DO $$ BEGIN UPDATE t SET a = 1; END $$", "can't be read"),
    ],
)  # fmt: skip
def test_when_a_migration_would_stop_the_version_before_then_it_is_found(sql: str, reason: str) -> None:
    found = breaches([sql])

    assert len(found) == 1
    assert reason in found[0]


@pytest.mark.parametrize(
    "sql",
    [
        'ALTER TABLE "t" ADD COLUMN "a" varchar(64) DEFAULT \'\' NOT NULL',
        'ALTER TABLE "t" ADD COLUMN "a" boolean DEFAULT false NOT NULL',
        'ALTER TABLE "t" ADD COLUMN "a" jsonb DEFAULT \'{}\'::jsonb NOT NULL',
        'ALTER TABLE "t" ADD COLUMN "a" timestamptz DEFAULT now() NOT NULL',
        'ALTER TABLE "t" ADD COLUMN "a" bigint NULL',
        'ALTER TABLE "t" ADD CONSTRAINT "c" CHECK (("a" > 0)) NOT VALID',
        'ALTER TABLE "t" VALIDATE CONSTRAINT "c"',
        'ALTER TABLE "t" ADD CONSTRAINT "c" UNIQUE USING INDEX "i"',
        'ALTER TABLE "t" DROP CONSTRAINT "c"',
        'ALTER TABLE "t" ALTER COLUMN "a" TYPE text',
        'CREATE INDEX CONCURRENTLY "i" ON "t" ("a")',
        'DROP INDEX CONCURRENTLY IF EXISTS "i"',
        'CREATE TABLE "t" ("a" int); CREATE INDEX "i" ON "t" ("a"); ALTER TABLE "t" ADD CONSTRAINT "c" CHECK (a > 0)',
        "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN UPDATE t SET a = 1; DELETE FROM t; END $$ LANGUAGE plpgsql",
    ],
)
def test_when_a_migration_lets_the_version_before_work_then_nothing_is_found(sql: str) -> None:
    assert breaches([sql]) == []
