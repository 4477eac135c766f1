"""Default deny: a call is answered only when its view declares who may make it.

A viewset declares `scopes`, from action to permission (or several, of which one is enough), `PUBLIC` or
`AUTHENTICATED`. A route that declares none
does not get past the system checks (`config.checks`).
"""

from typing import TYPE_CHECKING

from rest_framework.exceptions import MethodNotAllowed
from rest_framework.metadata import BaseMetadata
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from users.principals import Principal
from users.roles import AUTHENTICATED, PUBLIC

if TYPE_CHECKING:
    from rest_framework.views import APIView


class Methods(BaseMetadata):
    """What OPTIONS answers: the methods of a path, and nothing about its fields."""

    def determine_metadata(self, request: Request, view: "APIView") -> dict[str, list[str]]:
        """List the methods."""
        return {"methods": list(view.allowed_methods)}


class DeclaredScopes(BasePermission):
    """Allow what the view's scopes allow; everything else is 401 without a token and 403 with one."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Whether the caller holds the permission that the view declares for the action.

        Refuses with MethodNotAllowed a method that the route doesn't have.
        """
        action = getattr(view, "action", None)
        if action is None:
            raise MethodNotAllowed(request.method or "")
        if action == "metadata":
            return True
        scope = getattr(view, "scopes", {}).get(action)
        if scope == PUBLIC:
            return True
        principal = request.user
        if not isinstance(principal, Principal) or scope is None:
            return False
        return scope == AUTHENTICATED or any(
            principal.may(permission) for permission in ((scope,) if isinstance(scope, str) else scope)
        )
