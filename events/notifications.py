"""Notices on their way to people, by e-mail: leased, sent outside of any transaction, tried again with growing pauses.

A notice is sent once. Only where a process dies after the mail server has taken the mail and before that is written
down is it sent again, under the same Message-ID, by which mailboxes tell a double.
"""

from datetime import timedelta
from smtplib import SMTPException, SMTPRecipientsRefused
from uuid import UUID

import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import connection
from django.db.models import QuerySet
from django.template.loader import render_to_string

from events import failed_work
from events.clock import now
from events.models import Notification
from users.models import User

LEASE = timedelta(minutes=5)
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 2 * 60, 8 * 60, 24 * 60))
"""How long a notice waits after each failed try; after one more it is given up."""

KIND = "notice"
"""What failures are noted under."""

MAILS_AT_ONCE = 50
KEPT = timedelta(days=90)
PERMANENT = 500

_CLAIM = (
    "UPDATE events_notification SET leased_until = %s, attempts = attempts + 1 WHERE id IN"
    " (SELECT id FROM events_notification WHERE status = 'pending' AND due_at <= %s"
    "   AND (leased_until IS NULL OR leased_until < %s) ORDER BY due_at LIMIT %s FOR UPDATE SKIP LOCKED)"
    " RETURNING id"
)

_log = structlog.get_logger()


def send_due(*, limit: int = MAILS_AT_ONCE) -> int:
    """Send the notices that are due, at most `limit`; tell how many went out."""
    sent = 0
    for notification_id in _claim(limit):
        sent += _send(Notification.objects.get(id=notification_id))
    return sent


def make_due(notification_id: str) -> None:
    """Have a notice tried again at once, one that was given up too."""
    Notification.objects.filter(id=notification_id, status__in=["pending", "failed"]).update(
        status="pending", attempts=0, due_at=now(), leased_until=None, finished_at=None
    )


def forget_old() -> int:
    """Delete notices that were finished long ago; tell how many."""
    deleted, _ = Notification.objects.filter(finished_at__lt=now() - KEPT).delete()
    return deleted


def _claim(limit: int) -> list[UUID]:
    at = now()
    with connection.cursor() as cursor:
        cursor.execute(_CLAIM, [at + LEASE, at, at, limit])
        return [notification_id for (notification_id,) in cursor.fetchall()]


def _send(notification: Notification) -> bool:
    person = User.objects.filter(id=notification.user_id, is_active=True).first()
    if person is None:
        _finish(notification, "cancelled", "the person is no longer active")
        return False
    try:
        _mail(notification, person).send()
    except (SMTPException, OSError) as failure:
        _note_failure(notification, failure)
        return False
    _finish(notification, "sent")
    failed_work.note_success(kind=KIND, object_id=notification.id)
    return True


def _mail(notification: Notification, person: User) -> EmailMultiAlternatives:
    facts = {"data": notification.facts, "person": person, "event_type": notification.event_type}
    subject, _, body = render_to_string(f"notices/{notification.notice}.txt", facts).partition("\n")
    mail = EmailMultiAlternatives(
        subject=subject.strip(),
        body=body.strip() + "\n",
        to=[person.email],
        headers={
            "Message-ID": f"<{notification.id}@{settings.EMAIL_DOMAIN}>",
            "Auto-Submitted": "auto-generated",
            "X-Request-ID": notification.request_id,
        },
    )
    page = render_to_string("notices/mail.html", {"subject": subject.strip(), "body": body.strip()})
    mail.attach_alternative(page, "text/html")
    return mail


def _note_failure(notification: Notification, failure: Exception) -> None:
    error = f"{type(failure).__name__}: {failure}"[:500]
    failed_work.note_failure(kind=KIND, object_id=notification.id, error=error)
    is_refused = isinstance(failure, SMTPRecipientsRefused) and all(
        code >= PERMANENT for code, _why in failure.recipients.values()
    )
    if is_refused or notification.attempts > len(PAUSES):
        _log.error("notice_failed", notice=str(notification.id), attempts=notification.attempts, error=error)
        _finish(notification, "failed", error)
        return
    _log.warning("notice_delayed", notice=str(notification.id), attempts=notification.attempts, error=error)
    _held(notification).update(
        due_at=now() + PAUSES[notification.attempts - 1], leased_until=None, last_error=error
    )


def _finish(notification: Notification, status: str, error: str = "") -> None:
    _held(notification).update(status=status, finished_at=now(), leased_until=None, last_error=error)


def _held(notification: Notification) -> QuerySet[Notification]:
    """Find the notice as long as this try still holds it: a later one knows better."""
    return Notification.objects.filter(id=notification.id, attempts=notification.attempts, status="pending")
