"""An adapter for the fake provider: what the next adapters look like, in its smallest form."""

from typing import Any, ClassVar

import requests

from payments.processors.contract import (
    ChargeBy,
    ChargeOutcome,
    ChargeRequest,
    DisputeFacts,
    NotFound,
    RefundOutcome,
    RefundRequest,
    Succeeded,
    Unknown,
)
from payments.processors.declines import declined
from payments.refusals import ProcessorFailed, ProcessorTimeout, ProcessorUnavailable
from tokens.outbound import CardForCharge
from transactions.money import Money

CONNECT_WITHIN_S, READ_WITHIN_S = 5.0, 1.5


class HttpProcessor:
    """Speaks JSON over HTTP; after the request is under way, whatever goes wrong is Unknown."""

    name: ClassVar[str] = "http_fake"
    late_for_s: ClassVar[int] = 0
    url: ClassVar[str] = ""

    def charge_by(self, *, vault: str) -> ChargeBy:
        return ChargeBy.CARD

    def require_amount(self, amount: Money) -> None:
        """Takes every amount."""

    def charge(self, request: ChargeRequest) -> ChargeOutcome:
        card = request.source
        if not isinstance(card, CardForCharge):
            raise ProcessorFailed
        return self._sent(
            "/charges",
            {
                "key": request.key,
                "amount": request.amount.amount,
                "currency": request.amount.currency,
                "number": card.number,
            },
        )

    def find_charge(self, *, key: str, reference: str = "") -> ChargeOutcome | NotFound:
        return self._found("/charges", key)

    def cancel_charge(self, *, key: str, reference: str) -> ChargeOutcome | NotFound:
        return self.find_charge(key=key, reference=reference)

    def find_dispute(self, *, reference: str) -> DisputeFacts | NotFound:
        return NotFound()

    def refund(self, request: RefundRequest) -> RefundOutcome:
        body = {
            "key": request.key,
            "charge": request.charge_reference,
            "amount": request.amount.amount,
        }
        return self._sent("/refunds", body)

    def find_refund(
        self, *, key: str, reference: str = "", charge_reference: str = ""
    ) -> RefundOutcome | NotFound:
        return self._found("/refunds", key)

    def _sent(self, path: str, body: dict[str, Any]) -> Any:
        try:
            response = requests.post(
                self.url + path, json=body, timeout=(CONNECT_WITHIN_S, READ_WITHIN_S), allow_redirects=False
            )
        except requests.ConnectTimeout as slow:
            raise ProcessorTimeout from slow
        except requests.ConnectionError as failure:
            if "NewConnectionError" in repr(failure):
                raise ProcessorUnavailable from failure
            return Unknown(reason="connection_lost")
        except requests.Timeout:
            return Unknown(reason="timeout")
        return self._read(response)

    def _found(self, path: str, key: str) -> Any:
        try:
            response = requests.get(
                self.url + path, params={"key": key}, timeout=(CONNECT_WITHIN_S, READ_WITHIN_S)
            )
        except requests.RequestException as failure:
            raise ProcessorUnavailable from failure
        if response.status_code == 404:
            return NotFound()
        return self._read(response)

    def _read(self, response: requests.Response) -> Any:
        status = response.status_code
        if status == 429:
            raise ProcessorUnavailable
        if status in (400, 404):
            raise ProcessorFailed
        if status >= 500:
            return Unknown(reason=f"http_{status}")
        body = response.json()
        if status == 402:
            return declined(body["decline_code"], reference=body.get("id", ""))
        return Succeeded(reference=body["id"], amount=Money(body["amount"], body["currency"]))
