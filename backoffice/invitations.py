"""Handing an invitation over: by mail where mail is sent, so that nobody but its person sees the link."""

import structlog
from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse
from django.utils.translation import gettext as _

from users.staff import Invitation

log = structlog.get_logger("invitations")


def hand_over(invitation: Invitation) -> str:
    """Mail an invitation; gives its link where the administrator has to carry it: no mail is sent, or it is a sandbox.

    Waits for the mail server, so that nothing may be locked meanwhile.
    """
    link = f"{settings.PUBLIC_URL}{reverse('invitation', args=[invitation.token])}"
    if settings.EMAIL_IS_SENT:
        try:
            send_mail(
                subject=_("Your account in the back office of Open Wallet"),
                message=_("Choose your password within three days:\n\n%(link)s\n") % {"link": link},
                from_email=None,
                recipient_list=[invitation.user.email],
            )
        except OSError as failure:
            log.warning("invitation_not_mailed", reason=type(failure).__name__)
            return link
    return "" if settings.EMAIL_IS_SENT and not settings.SANDBOX else link
