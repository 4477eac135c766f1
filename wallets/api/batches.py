"""Batches of transfers over HTTP. Items are read by hand: ten thousand serializers cost more than the database."""

import re
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from transactions.api.amounts import AmountField, CurrencyField, MetadataField
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.idempotency import Answer
from transactions.money import EXPONENTS, MAXIMUM_AMOUNT, Money
from users.api.authentication import caller
from users.api.bodies import FlagField, InvalidRequest, StrictBody, TextField
from users.api.views import StrictViewSet
from users.refusals import InputError
from wallets.batches import LARGEST_BATCH, BatchItem, BatchResult, transfer_batch

MOST_ERRORS_TOLD = 100

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_REQUIRED = frozenset({"from_wallet_id", "to_wallet_id", "amount", "currency"})
_KNOWN = _REQUIRED | {"description", "metadata"}


class BatchTransferBody(StrictBody):
    """One transfer of a batch, as the OpenAPI document shows it."""

    from_wallet_id = serializers.UUIDField()
    to_wallet_id = serializers.UUIDField()
    amount = AmountField()
    currency = CurrencyField()
    description = TextField(max_length=500, required=False, allow_blank=True, default="")
    metadata = MetadataField(required=False, default=dict)


class BatchBody(StrictBody):
    """A batch of transfers, as the OpenAPI document shows it."""

    transfers = BatchTransferBody(many=True)
    atomic = FlagField(required=False, default=False)


class BatchEnvelope(StrictBody):
    """The batch without a look into its items."""

    transfers = serializers.JSONField()
    atomic = FlagField(required=False, default=False)


class BatchResultView(serializers.Serializer[Any]):
    """What became of one item: a transfer, or the code of its refusal."""

    index = serializers.IntegerField()
    status = serializers.ChoiceField(choices=["completed", "refused"])
    transfer_id = serializers.UUIDField(required=False)
    code = serializers.CharField(required=False)


class BatchView(serializers.Serializer[Any]):
    """What became of a batch, item by item, in order."""

    results = BatchResultView(many=True)
    completed = serializers.IntegerField()
    refused = serializers.IntegerField()


def _fault(index: int, field: str, code: str, detail: str) -> InputError:
    name = f"transfers.{index}.{field}" if field else f"transfers.{index}"
    return {"field": name, "code": code, "detail": detail}


def _faults_of(index: int, item: Any, known_ids: dict[str, UUID]) -> list[InputError]:
    if not isinstance(item, dict):
        return [_fault(index, "", "invalid", "This must be a JSON object.")]
    faults = []
    if not _REQUIRED <= item.keys() <= _KNOWN:
        faults += [
            _fault(index, name, "unknown_field", "There is no such field.") for name in item.keys() - _KNOWN
        ]
        faults += [
            _fault(index, name, "required", "This field is required.") for name in _REQUIRED - item.keys()
        ]
    for name in ("from_wallet_id", "to_wallet_id"):
        text = item.get(name, "")
        if not isinstance(text, str) or (
            name in item and text not in known_ids and not _UUID.fullmatch(text)
        ):
            faults.append(_fault(index, name, "invalid", "This must be a UUID."))
    amount = item.get("amount", 1)
    if type(amount) is not int or not 1 <= amount <= MAXIMUM_AMOUNT:
        faults.append(_fault(index, "amount", "invalid", "An amount is a positive integer of minor units."))
    currency = item.get("currency", "USD")
    if not isinstance(currency, str) or currency not in EXPONENTS:
        faults.append(
            _fault(index, "currency", "unknown", "This is no currency of ISO 4217 with a minor unit.")
        )
    description = item.get("description", "")
    if not isinstance(description, str) or len(description) > 500:
        faults.append(
            _fault(index, "description", "invalid", "A description is a string of up to 500 characters.")
        )
    if "metadata" in item:
        try:
            MetadataField().to_internal_value(item["metadata"])
        except serializers.ValidationError:
            detail = str(MetadataField.default_error_messages["not_pairs"])
            faults.append(_fault(index, "metadata", "not_pairs", detail))
    return faults


def _wallet_id(text: str, known_ids: dict[str, UUID]) -> UUID:
    """Read an id once, however often it stands in the batch: one payer's thousand transfers name it as often."""
    known = known_ids.get(text)
    if known is None:
        known = known_ids[text] = UUID(text)
    return known


def read_items(transfers: Any) -> list[BatchItem]:
    """Read the items of a batch. Refuses with InvalidRequest, naming at most the first 100 faults."""
    if not isinstance(transfers, list) or not 1 <= len(transfers) <= LARGEST_BATCH:
        raise InvalidRequest(
            [
                {
                    "field": "transfers",
                    "code": "invalid",
                    "detail": f"A batch is a list of 1 to {LARGEST_BATCH} transfers.",
                }
            ]
        )
    faults: list[InputError] = []
    items = []
    known_ids: dict[str, UUID] = {}
    for index, item in enumerate(transfers):
        found = _faults_of(index, item, known_ids)
        if found:
            faults += found
            if len(faults) >= MOST_ERRORS_TOLD:
                break
        elif not faults:
            items.append(
                BatchItem(
                    source_id=_wallet_id(item["from_wallet_id"], known_ids),
                    target_id=_wallet_id(item["to_wallet_id"], known_ids),
                    amount=Money(item["amount"], item["currency"]),
                    description=item.get("description", ""),
                    metadata=item.get("metadata", {}),
                )
            )
    if faults:
        unknown = any(fault["code"] == "unknown_field" for fault in faults)
        raise InvalidRequest(faults[:MOST_ERRORS_TOLD], "unknown_field" if unknown else "validation_error")
    return items


def _answered(result: BatchResult) -> Answer:
    results = [
        {"index": index, "status": "completed", "transfer_id": transfer_id}
        if transfer_id is not None
        else {"index": index, "status": "refused", "code": code}
        for index, (transfer_id, code) in enumerate(zip(result.transfer_ids, result.codes, strict=True))
    ]
    refused = sum(code is not None for code in result.codes)
    body = {"results": results, "completed": len(results) - refused, "refused": refused}
    return rendered(200, body, "batch")


class BatchViewSet(StrictViewSet):
    """Many transfers in one call."""

    scopes = {"create": "wallet:write"}
    keys = {"create": "required"}

    @extend_schema(request=BatchBody, responses={200: BatchView})
    def create(self, request: Request) -> HttpResponse:
        """Make up to 10,000 transfers, all or none with `atomic`, otherwise each on its own."""
        call = keyed_call(request, _answered)
        body = BatchEnvelope.read(request)
        principal = caller(request)
        return keyed_answer(
            transfer_batch(
                items=read_items(body["transfers"]),
                is_atomic=body["atomic"],
                owner_id=principal.owner_id,
                actor=principal.name,
                call=call,
            )
        )
