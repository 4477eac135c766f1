"""Doorbells of the back office: files that are made in the background."""

from uuid import UUID

from celery import shared_task

from backoffice import exports


@shared_task(name="backoffice.make_export")  # type: ignore[untyped-decorator]  # Celery has no types
def make_one_export(export_id: str) -> int:
    """Make one file; tells whether it was due."""
    return exports.make_due_exports(export_id=UUID(export_id))


@shared_task(name="backoffice.make_due_exports")  # type: ignore[untyped-decorator]  # Celery has no types
def make_exports() -> int:
    """Make the files whose bell was lost, or whose worker was; tells how many."""
    return exports.make_due_exports()


@shared_task(name="backoffice.forget_old_exports")  # type: ignore[untyped-decorator]  # Celery has no types
def forget_exports() -> int:
    """Delete the files that are kept no longer; tells how many."""
    return exports.forget_old_exports()
