"""Calls without a server, for what has to happen in this very process."""

from typing import Any

from tests.factories.calls import ApiClient


class InProcess(ApiClient):
    """Calls of the API and of the sandbox's phones."""

    def call(self, method: str, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Any:
        """Make one call; `prefix=""` one outside of `/api/v1`."""
        if headers.pop("prefix", None) == "":
            return self._client.post(path, body, content_type="application/json")
        return super().call(method, path, body, key=key, **headers)

    def persist(self, method: str, path: str, body: Any = None, *, prefix: str) -> Any:
        """Make one call, which nobody kills here."""
        return self.call(method, path, body, prefix=prefix)
