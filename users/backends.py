"""Who may log in to the back office."""

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import BaseBackend
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from users.client_addresses import client_address
from users.models import User
from users.refusals import TooManyLogins, WrongLogin
from users.signing_in import person_with


class StaffBackend(BaseBackend):
    """Active staff with their e-mail address and password, under the same throttle as the API."""

    def authenticate(
        self,
        request: HttpRequest | None,
        username: str | None = None,
        password: str | None = None,
        **credentials: Any,
    ) -> User | None:
        """Tell whose credentials these are, or nobody; a throttled attempt ends the search."""
        if not username or not password:
            return None
        try:
            user = person_with(
                email=username, password=password, address=client_address(request) if request else ""
            )
        except WrongLogin:
            return None
        except TooManyLogins as refusal:
            raise PermissionDenied(refusal.detail) from None
        return user if user.is_staff else None

    def get_user(self, user_id: UUID | str) -> User | None:
        """Read the person behind a session anew; one who was switched off or lost the role is nobody."""
        user = User.objects.filter(pk=user_id, is_active=True).first()
        return user if user is not None and user.is_staff else None
