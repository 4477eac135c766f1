"""The doorbell of the sweep that forgets what is of use to nobody any more."""

from celery import shared_task
from django.utils import timezone

from users.login_attempts import forget_old_attempts
from users.sessions import forget_ended_sessions
from users.staff_sessions import forget_old_staff_sessions


@shared_task(name="users.forget_ended_sessions")  # type: ignore[untyped-decorator]  # Celery has no types
def sweep_sessions() -> int:
    """Delete ended sessions, of staff too, and old counts of failed log-ins; tells how many rows."""
    now = timezone.now()
    return forget_ended_sessions(now=now) + forget_old_staff_sessions(now=now) + forget_old_attempts(now=now)
