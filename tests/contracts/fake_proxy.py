"""Basis Theory's proxy on this machine: it fills in the expressions and passes the request on, to wherever it says."""

import re
from urllib.parse import parse_qsl, urlencode

import requests

from tests.contracts.fake_basis_theory import KEY, LEAST_PERMISSIONS, FakeBasisTheory
from tests.contracts.provider_server import Received, Reply

EXPRESSION = re.compile(r"{{ (token|apple_pay|google_pay): ([\w-]+) \| json: '([$.\w]+)'((?: \| [^|}]+)?) }}")
CRYPTOGRAM = "AwAAAAEAQlkpcFaAcgRJgAA="
SLOWEST_S = 2.0
PASSED_ON = ("authorization", "content-type", "idempotency-key", "stripe-version")


class UnknownItem(Exception):
    """An expression names what isn't in the vault."""


class FakeProxy(FakeBasisTheory):
    """A vault with a proxy. `patience_s` is how long it waits for the destination, which is 25 s in earnest."""

    def __init__(self) -> None:
        super().__init__()
        self.permissions = {*LEAST_PERMISSIONS, "proxy:invoke"}
        self.patience_s = SLOWEST_S

    def answer(self, request: Received) -> Reply:
        if request.path != "/proxy":
            return super().answer(request)
        if request.headers.get("bt-api-key") != KEY:
            return _own(401)
        if "proxy:invoke" not in self.permissions:
            return _own(403)
        try:
            form = [
                (name, EXPRESSION.sub(lambda found: self._filled(*found.groups()), value))
                for name, value in parse_qsl(request.body.decode(), keep_blank_values=True)
            ]
        except UnknownItem:
            return _own(400)
        if any("{{" in value for _, value in form):
            return _own(400)
        try:
            passed = requests.post(
                request.headers["bt-proxy-url"],
                data=urlencode(form),
                headers={name: request.headers[name] for name in PASSED_ON},
                timeout=self.patience_s,
            )
        except requests.Timeout:
            return Reply(408)
        except requests.RequestException:
            return _own(502)
        headers = {"BT-PROXY-DESTINATION-STATUS": str(passed.status_code)}
        for name in ("Idempotent-Replayed", "Stripe-Should-Retry", "Retry-After", "Request-Id"):
            if name in passed.headers:
                headers[name] = passed.headers[name]
        return Reply(passed.status_code, passed.content, headers)

    def _filled(self, kind: str, item_id: str, path: str, rest: str) -> str:
        with self.lock:
            item = self.items.get(item_id)
            if item is None or (kind == "token") != (item.get("type") == "card"):
                raise UnknownItem
            number = self.numbers[item_id]
        found = {
            "$.data.number": number,
            "$.data": {" | card_exp: 'MM'": "12", " | card_exp: 'YYYY'": "2030"}.get(rest, ""),
            "$.authentication.threeds_cryptogram": CRYPTOGRAM,
            "$.authentication.eci_indicator": "7".rjust(2, "0") if rest == " | pad_left: 2, '0'" else "7",
        }
        return found[path]


def _own(status: int) -> Reply:
    return Reply(
        status,
        {"proxy_error": {"errors": {}, "title": "Invalid proxy request", "status": status, "detail": "-"}},
    )
