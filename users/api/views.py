"""What every viewset of the API has in common."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from users import trail
from users.api.bodies import StrictQuery
from users.principals import Principal


class NoQuery(StrictQuery):
    """No query parameter at all."""


class StrictViewSet(ViewSet):
    """A viewset whose actions take no query parameter, but those in `queried`, which read their own.

    What it shows to staff is recorded in the audit trail.
    """

    queried: ClassVar[frozenset[str]] = frozenset({"list"})

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the caller in. Refuses with InvalidRequest a parameter that the action would ignore."""
        super().initial(request, *args, **kwargs)
        if self.action not in self.queried:
            NoQuery.read(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Write down what staff were shown: whose data it was, by which permission, and what was asked for."""
        if request.method == "GET" and response.status_code in (200, 304):
            self._record_look(request)
        return super().finalize_response(request, response, *args, **kwargs)

    def _record_look(self, request: Request) -> None:
        principal = request.user
        if not isinstance(principal, Principal) or not principal.is_staff:
            return
        scope: str | tuple[str, ...] = getattr(self, "scopes", {}).get(self.action, ())
        asked = (scope,) if isinstance(scope, str) else scope
        permission = next((one for one in asked if principal.may(one)), None)
        if permission is None:
            return  # what anybody may see, and one's own account
        query = request.META.get("QUERY_STRING", "")
        trail.record(
            actor=principal.name,
            action=permission.replace(":", "."),
            object_type=permission.partition(":")[0],
            object_id=next(reversed(self.kwargs.values()), ""),
            after={"path": request.path, **({"query": query} if query else {})},
        )
