"""The form of the log-in page, which tells who is locked out how long to wait."""

from typing import Any

from django.contrib.admin.forms import AdminAuthenticationForm
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from backoffice.reauthentication import wait_told
from users.client_addresses import client_address
from users.refusals import TooManyLogins, WrongLogin
from users.signing_in import person_with


class StaffLoginForm(AdminAuthenticationForm):
    """E-mail address and password of staff; `lockout` is the refusal of those who have failed too often."""

    lockout: TooManyLogins | None = None

    def clean(self) -> dict[str, Any]:
        """Find the person. Whoever isn't of the staff, unknown, switched off or wrong is told the same."""
        email, password = self.cleaned_data.get("username"), self.cleaned_data.get("password")
        if not email or not password:
            return self.cleaned_data
        address = client_address(self.request) if self.request else ""
        try:
            person = person_with(email=email, password=password, address=address)
        except TooManyLogins as refusal:
            self.lockout = refusal
            raise ValidationError(wait_told(refusal), code=refusal.code) from None
        except WrongLogin as refusal:
            raise _wrong(refusal.code) from None
        if not person.is_staff:
            raise _wrong(WrongLogin.code)
        self.user_cache = person
        return self.cleaned_data


def _wrong(code: str) -> ValidationError:
    return ValidationError(_("This e-mail address and password don’t open the back office.."), code=code)
