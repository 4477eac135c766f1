"""A page of the back office says who may open it, or it isn't served."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Final, TypeVar, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import reverse

from users.models import User
from users.roles import PERMISSIONS

# Declared by a page that every member of staff may open.
STAFF: Final = "staff"

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def person_of(request: HttpRequest) -> User:
    """Give the member of staff who is logged in; refuses (403) everybody else."""
    person = request.user
    if not isinstance(person, User) or not person.is_active or not person.is_staff:
        raise PermissionDenied
    return person


def is_open_to(person: User, permissions: tuple[str, ...]) -> bool:
    """Tell whether the person holds one of the permissions that a page or an entry declares."""
    return STAFF in permissions or any(person.may(permission) for permission in permissions)


def staff_page(*permissions: str) -> Callable[[View], View]:
    """Guard a view: whoever isn't logged in is asked to, whoever holds none of `permissions` is refused (403).

    `permissions` are names of `users.roles`, any one of which is enough, or STAFF for all of the staff.
    """
    unknown = set(permissions) - PERMISSIONS - {STAFF}
    if unknown or not permissions:
        raise ValueError(f"A staff page declares known permissions, not {sorted(unknown)}")

    def declared(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            person = request.user
            if not isinstance(person, User) or not person.is_active or not person.is_staff:
                return redirect_to_login(request.get_full_path(), reverse("admin:login"))
            if not is_open_to(person, permissions):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        page: Any = guarded
        page.permissions = permissions
        return cast("View", page)

    return declared
