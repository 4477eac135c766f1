"""What a migration may do while the version before it serves: read from the SQL that it runs, statement by statement.

A table that the same migration makes is nobody's yet, so nothing is asked of it. Every other table counts as large and
in use. What PostgreSQL rewrites or scans under which lock: https://www.postgresql.org/docs/current/sql-altertable.html
"""

import re
from collections.abc import Iterable, Iterator

_COMMENT = re.compile(r"--[^\n]*")
_BODY = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
_TEXT = re.compile(r"'(?:[^']|'')*'")
_MADE = re.compile(r"\bCREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(\w+)")
_ALTERED = re.compile(r"^ALTER TABLE (?:IF EXISTS )?(?:ONLY )?(\w+) (.*)$")
_INDEXED = re.compile(r"^CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?.*? ON (?:ONLY )?(\w+)")
_WRITTEN = re.compile(r"^(?:UPDATE (?:ONLY )?|DELETE FROM (?:ONLY )?)(\w+)")
_STEADY_DEFAULT = re.compile(
    r"\bDEFAULT (?:\(?-?\d+(?:\.\d+)?\)?|''|TRUE|FALSE|NULL|NOW\(\)|CURRENT_TIMESTAMP|STATEMENT_TIMESTAMP\(\))"
    r"(?:::[\w ]+(?:\(\d+\))?)?(?= |$)"
)

ADDS_UNINDEXED = re.compile(r"^ADD (?:CONSTRAINT \w+ )?(?:UNIQUE|PRIMARY KEY|EXCLUDE)\b(?!.*USING INDEX)")
ADDS_UNVALIDATED = re.compile(r"^ADD (?:CONSTRAINT \w+ )?(?:CHECK|FOREIGN KEY)\b(?!.*NOT VALID$)")

_REFUSED_ACTIONS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^RENAME\b"), "renames what the version before asks for by its name"),
    (
        re.compile(r"^DROP (?!CONSTRAINT|DEFAULT|EXPRESSION)"),
        "drops what the version before may still read or write",
    ),
    (
        re.compile(r"^ALTER (?:COLUMN )?\w+ (?:SET DATA )?TYPE (?!TEXT\b)"),
        "rewrites the table for a new type",
    ),
    (re.compile(r"^ALTER (?:COLUMN )?\w+ SET NOT NULL"), "scans the table under the strongest lock"),
    (
        re.compile(r"^ALTER (?:COLUMN )?\w+ DROP DEFAULT"),
        "leaves the version before without a value for the column",
    ),
    (re.compile(r"^(?:SET (?:TABLESPACE|LOGGED|UNLOGGED|ACCESS METHOD)|CLUSTER)\b"), "rewrites the table"),
    (ADDS_UNINDEXED, "builds an index under a lock: build it CONCURRENTLY, then USING INDEX"),
    (
        ADDS_UNVALIDATED,
        "checks every row under a lock: add it NOT VALID, and validate it in a migration of its own",
    ),
)
_REFUSED_STATEMENTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"^(?:LOCK|TRUNCATE|CLUSTER|VACUUM)\b"), "locks a table for as long as it takes"),
    (re.compile(r"^REINDEX\b(?!.*CONCURRENTLY)"), "locks a table for as long as it takes"),
    (re.compile(r"^DROP INDEX (?!CONCURRENTLY)"), "waits for every reader: DROP INDEX CONCURRENTLY"),
    (
        re.compile(r"^DROP (?:TABLE|VIEW|SEQUENCE|TYPE|SCHEMA|COLUMN)\b"),
        "drops what the version before may still use",
    ),
    (
        re.compile(r"^ALTER (?:TYPE|SEQUENCE|VIEW|INDEX) .*\bRENAME\b"),
        "renames what the version before asks for",
    ),
    (re.compile(r"^DO\b"), "runs a block that can't be read here"),
)


def statements_of(sql: Iterable[str]) -> list[str]:
    """Split SQL into statements in one plain form: upper case, one line, names unquoted, texts and bodies emptied."""
    kept = []
    for piece in sql:
        plain = _TEXT.sub("''", _BODY.sub("''", _COMMENT.sub("", piece))).replace('"', "")
        kept += [" ".join(statement.split()).upper() for statement in plain.split(";")]
    return [statement for statement in kept if statement]


def breaches(sql: Iterable[str]) -> list[str]:
    """Tell what in a migration's SQL can't run beside the version before, one line for each reason."""
    statements = statements_of(sql)
    made = {name for statement in statements for name in _MADE.findall(statement)}
    return [
        f"{reason}: {statement[:160]}"
        for statement in statements
        for reason in _reasons(statement, made=made, altered=_altered_before(statement, statements))
    ]


def _reasons(statement: str, *, made: set[str], altered: set[str]) -> Iterator[str]:
    if match := _ALTERED.match(statement):
        table, actions = match.groups()
        if table not in made:
            for action in _actions(actions):
                yield from _reasons_of_action(action)
                if action.startswith("VALIDATE CONSTRAINT") and table in altered:
                    yield "validates while the lock of an earlier statement is held: use a migration of its own"
    elif match := _INDEXED.match(statement):
        if not match[1] and match[2] not in made:
            yield "keeps writers out while an index is built: CREATE INDEX CONCURRENTLY"
    elif match := _WRITTEN.match(statement):
        if match[1] not in made:
            yield "holds the locks of many rows: let a sweep do it in portions"
    else:
        yield from (reason for pattern, reason in _REFUSED_STATEMENTS if pattern.match(statement))


def _reasons_of_action(action: str) -> Iterator[str]:
    if action.startswith("ADD ") and not re.match(
        r"^ADD (?:CONSTRAINT|CHECK|FOREIGN|UNIQUE|PRIMARY|EXCLUDE)\b", action
    ):
        if " NOT NULL" in action and " DEFAULT " not in action:
            yield "adds a column that the version before doesn't fill: NOT NULL needs a constant default"
        if " DEFAULT " in action and not _STEADY_DEFAULT.search(action):
            yield "rewrites the table, as the default isn't the same for every row"
        if re.search(r"\b(?:GENERATED|SERIAL|BIGSERIAL|IDENTITY)\b", action):
            yield "rewrites the table to fill the column"
        if re.search(r"\b(?:UNIQUE|PRIMARY KEY)\b", action):
            yield "builds an index under a lock: build it CONCURRENTLY, then USING INDEX"
        if re.search(r"\b(?:REFERENCES|CHECK)\b", action):
            yield "checks every row under a lock: add it NOT VALID, and validate it in a migration of its own"
    yield from (reason for pattern, reason in _REFUSED_ACTIONS if pattern.match(action))


def _actions(text: str) -> Iterator[str]:
    """Part the actions of one ALTER TABLE at the commas that stand in no parentheses."""
    depth, start = 0, 0
    for place, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            yield text[start:place].strip()
            start = place + 1
    yield text[start:].strip()


def _altered_before(statement: str, statements: list[str]) -> set[str]:
    """Name the tables that earlier statements hold a strong lock of, as they validate nothing themselves."""
    before = statements[: statements.index(statement)]
    return {match[1] for each in before if (match := _ALTERED.match(each)) and "VALIDATE" not in match[2]}
