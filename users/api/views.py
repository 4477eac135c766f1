"""What every viewset of the API has in common."""

from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.viewsets import ViewSet

from users.api.bodies import StrictQuery


class NoQuery(StrictQuery):
    """No query parameter at all."""


class StrictViewSet(ViewSet):
    """A viewset whose actions take no query parameter, but those in `queried`, which read their own."""

    queried: ClassVar[frozenset[str]] = frozenset({"list"})

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Let the caller in. Refuses with InvalidRequest a parameter that the action would ignore."""
        super().initial(request, *args, **kwargs)
        if self.action not in self.queried:
            NoQuery.read(request)
