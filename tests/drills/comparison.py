"""Compares a database with the high-water mark that clients kept: nothing acknowledged lost, nothing there twice."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

from deploy.local.postgres import DATABASE
from tests.drills.databases import Server
from tests.drills.load import HighWaterMark

# By the key in the description and the two lines of each: what the customers asked for, not what a table counts.
FOUND = """
    SELECT split_part(t.description, ' ', 2), t.id::text, t.status, count(l.id), coalesce(sum(l.amount), 0),
           pg_xact_commit_timestamp(t.xmin)
    FROM transactions_transfer AS t LEFT JOIN transactions_transaction AS l ON l.transfer_id = t.id
    WHERE t.description LIKE 'drill %' GROUP BY t.id
"""


@dataclass(frozen=True)
class Comparison:
    """Keys by what became of them, and the moment when each was committed."""

    acknowledged: int
    lost: list[str]
    doubled: list[str]
    changed: list[str]
    unacknowledged: list[str]
    committed_at: dict[str, datetime]

    @property
    def is_clean(self) -> bool:
        """Whether nothing acknowledged is lost, doubled or other than it was acknowledged."""
        return not (self.lost or self.doubled or self.changed)


def compare(server: Server, mark: HighWaterMark) -> Comparison:
    """Look for each acknowledged transfer."""
    acknowledged = mark.acknowledged()
    rows = server.ask(FOUND, database=DATABASE)
    ids = {key: transfer_id for key, transfer_id, *_ in rows}
    whole = {key for key, _, status, lines, total, _ in rows if (status, lines, total) == ("completed", 2, 0)}
    found = Counter(key for key, *_ in rows)
    return Comparison(
        acknowledged=len(acknowledged),
        lost=[key for key in acknowledged if key not in found],
        doubled=[key for key, times in found.items() if times > 1],
        changed=[key for key in found if acknowledged.get(key, ids[key]) != ids[key] or key not in whole],
        unacknowledged=[key for key in found if key not in acknowledged],
        committed_at={key: moment for key, *_, moment in rows},
    )
