"""Seals again, under the ring's first key, what was sealed under another: online, in batches, at any time anew.

A model names its sealed columns in `SEALED_COLUMNS`; whichever app it belongs to, it's found here.
"""

import time
from dataclasses import dataclass
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from events import audit
from users.sealing import SealBroken, current_prefix, open_sealed, seal
from users.trail import OPERATOR

PASSES = 20
PAUSE_S = 0.25


@dataclass(frozen=True, slots=True)
class Rotation:
    """What became of one column: rows sealed anew, ids that no key opens, and rows still under another key."""

    table: str
    column: str
    resealed: int
    broken: tuple[UUID, ...]
    remaining: int


def sealed_columns() -> list[tuple[type[models.Model], str]]:
    """List every sealed column of the installation."""
    return [(model, column) for model in apps.get_models() for column in getattr(model, "SEALED_COLUMNS", ())]


def rotate_column(*, model: type[models.Model], column: str, batch_size: int) -> Rotation:
    """Seal one column anew, `batch_size` rows to a transaction. Stopped at any point, the next run goes on.

    Rows that somebody else has locked are passed over and tried again, for up to 20 passes. A row that no key
    opens is left as it is and named in the answer.
    """
    resealed = 0
    broken: set[UUID] = set()
    for attempt in range(PASSES):
        if attempt:
            time.sleep(PAUSE_S)
        after: UUID | None = None
        while True:
            ids, failed = _reseal_batch(model=model, column=column, after=after, batch_size=batch_size)
            resealed += len(ids) - len(failed)
            broken.update(failed)
            if not ids:
                break
            after = ids[-1]
        remaining = _under_another_key(model, column).count()
        if remaining <= len(broken):
            break
    done = Rotation(model._meta.db_table, column, resealed, tuple(sorted(broken)), remaining)
    audit.record(
        actor=OPERATOR,
        action="keys.rotated",
        object_type="column",
        object_id=f"{done.table}.{done.column}",
        after={
            "key": settings.ENCRYPTION_KEYS[0][0],
            "resealed": resealed,
            "broken": len(broken),
            "remaining": remaining,
        },
    )
    return done


def _reseal_batch(
    *, model: type[models.Model], column: str, after: UUID | None, batch_size: int
) -> tuple[list[UUID], list[UUID]]:
    """Seal the next rows by id in one transaction; give all their ids, and those that no key opens."""
    table = model._meta.db_table
    failed = []
    with transaction.atomic():
        found = _under_another_key(model, column)
        if after is not None:
            found = found.filter(pk__gt=after)
        rows = list(found.order_by("pk").select_for_update(skip_locked=True)[:batch_size])
        for row in rows:
            try:
                plaintext = open_sealed(getattr(row, column), table=table, column=column, row_id=row.pk)
            except SealBroken:
                failed.append(row.pk)
                continue
            resealed = seal(plaintext, table=table, column=column, row_id=row.pk)
            model._base_manager.filter(pk=row.pk).update(**{column: resealed})
    return [row.pk for row in rows], failed


def _under_another_key(model: type[models.Model], column: str) -> models.QuerySet[models.Model]:
    rows = model._base_manager.exclude(**{f"{column}__startswith": current_prefix()})
    return rows.exclude(**{column: ""}).only("pk", column)
