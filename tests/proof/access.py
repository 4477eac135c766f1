"""Part 5: every operation of the OpenAPI document, asked by everybody about what isn't theirs, and sent what isn't to be sent."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.urls import get_resolver

from config.checks import served_routes
from tests.access.matrix import MATRIX, Call
from tests.access.scene import filled, ghosts, made, telling, two_customers
from tests.factories.books import books
from tests.factories.people import someone
from tests.proof.calls import Answer, HttpApi
from tests.proof.parts import Bounds, PartReport
from tests.proof.stack import Stack
from users.roles import AUTHENTICATED, PUBLIC, ROLES

WRITES = ("POST", "PUT", "PATCH", "DELETE")
BATCH = ("POST", "/wallet/transfer/batch")
ASKED_OTHERWISE = {
    # Money may go to anybody; from whose wallet, `ask_in_rows` asks.
    ("POST", "/wallet/transfer"): frozenset({"to_wallet_id"}),
    BATCH: frozenset({"from_wallet_id", "to_wallet_id"}),
}
"""Ids that aren't to be refused, or not with an answer of their own."""


class Finding(Counter[str]):
    """Counts, and what broke."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def require(self, what: str, *, is_so: bool, about: str) -> None:
        """Count a check, and note where it isn't so."""
        self[what] += 1
        if not is_so:
            self.found.append(f"{what}: {about}"[:400])


def run(stack: Stack, seed: int, bounds: Bounds) -> PartReport:
    """Walk the document with foreign owners and every role; then post every field of every model to every write."""
    tally = Finding()
    document = HttpApi(stack.port).call("GET", "/api/schema", prefix="").json()
    require_all_listed(tally, document)
    asks, own, foreign = two_customers(lambda who: HttpApi(stack.port, who))
    roles = {role: HttpApi(stack.port, someone(role)) for role in sorted(ROLES)}
    ask_in_rows(tally, asks, own, foreign)
    asked = 0
    for (method, path), call in MATRIX.items():
        if bounds.is_over:
            break
        asked += 1
        for slot in [*re.findall(r"{(\w+)}", path), *call.foreign]:
            _ask_as_customer(tally, asks, method, path, call, slot, own, foreign)
            _ask_as_roles(tally, roles, method, path, call, slot, own, foreign)
        if method in WRITES and call.body is not None:
            assign_everything(tally, _allowed(roles, asks, call), method, path, call, own)
    return PartReport(
        "access",
        seed,
        dict(tally),
        holds=not tally.found,
        tried=asked,
        is_complete=not bounds.is_over,
        found=tuple(tally.found),
    )


def require_all_listed(tally: Finding, document: dict[str, Any]) -> None:
    """Compare the served routes and the document with the matrix: whoever adds one has to say who may use it."""
    described = {
        (method.upper(), as_in_matrix(path)): operation
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if path.startswith("/api/v1/") and method.upper() in ("GET", *WRITES)
    }
    served = {
        (method.upper(), as_in_matrix("/" + re.sub(r"<uuid:(\w+)>", r"{\1}", path)))
        for path, pattern in served_routes(get_resolver().url_patterns)
        if path.startswith("api/v1/")
        for method in getattr(pattern.callback, "actions", {"get": ""})
        if method != "head"
    }
    known = {
        (method, path.replace("<str:provider>", "{provider}")): call
        for (method, path), call in MATRIX.items()
    }
    served = {(method, path.replace("<str:provider>", "{provider}")) for method, path in served}
    tally["operations of the document"] = len(described)
    tally["routes served"] = len(served)
    for missing in sorted((set(described) | served) - set(known)):
        tally.found.append(f"nobody has said who may call {missing}")
    for operation, call in known.items():
        named = set(_ids_of(described.get(operation, {}), document))
        tally["ids of path, query and body"] += len(named) + operation[1].count("{")
        # Staff may name anybody's; of whoever else, each id has to be asked about as another's.
        if ROLES["user"].intersection(scopes_of(call)):
            for missing in sorted(named - set(call.foreign) - ASKED_OTHERWISE.get(operation, frozenset())):
                tally.found.append(f"nobody has asked for another's {missing} of {operation}")


def as_in_matrix(path: str) -> str:
    """Write a path of the document or of the routes as the matrix does."""
    return re.sub(r"{(\w+)_id}", r"{\1}", path.removeprefix("/api/v1"))


def _ids_of(operation: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    """Walk the query and the body of an operation for fields that name something."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and parameter["name"].endswith("_id"):
            yield parameter["name"]
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield from _ids_within(content.get("schema", {}), document)


def _ids_within(schema: dict[str, Any], document: dict[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for part in (*schema.get("oneOf", ()), *schema.get("allOf", ()), *schema.get("anyOf", ())):
        yield from _ids_within(part, document)
    if "items" in schema:
        yield from _ids_within(schema["items"], document)
    for name, field in schema.get("properties", {}).items():
        if name.endswith("_id"):
            yield name
        yield from _ids_within(field, document)


def ask_in_rows(tally: Finding, asks: Any, own: dict[str, str], foreign: dict[str, str]) -> None:
    """Name another's wallet in a row of a batch: the row looks as that of a wallet that isn't there."""
    call = MATRIX[BATCH]
    before = books()
    theirs, nobody_s = (
        asks.call(*BATCH, filled(call.body, {**own, "wallet": others["wallet"]}))
        for others in (foreign, ghosts())
    )
    about = f"a row with another's wallet: {theirs.content[:200]!r}"
    rows = [row.get("code") for row in theirs.json().get("results", ())]
    tally.require("foreign ids refused", is_so=rows == ["not_found"], about=about)
    is_alike = theirs.json().get("results") == nobody_s.json().get("results")
    tally.require("bodies equal to those of ids of nothing", is_so=is_alike, about=about)
    changed = {table for table, rows_now in books().items() if rows_now != before[table]}
    # The answer of a batch is kept under its key, whatever it refused.
    is_untouched = changed <= {"transactions_idempotencykey"}
    tally.require("calls after which no table had changed", is_so=is_untouched, about=f"{about}, {changed}")


def _ask_as_customer(
    tally: Finding,
    asks: Any,
    method: str,
    path: str,
    call: Call,
    slot: str,
    own: dict[str, str],
    foreign: dict[str, str],
) -> None:
    scopes = scopes_of(call)
    may = bool(ROLES["user"].intersection(scopes))
    expected = (404, "not_found") if may else (403, "permission_denied")
    before = books()
    theirs, nobody_s = (_asked(asks, method, path, call, slot, own, others) for others in (foreign, ghosts()))
    about = f"{method} {path} with another's {slot}: {theirs.status_code} {theirs.content[:150]!r}"
    tally.require(
        "foreign ids refused", is_so=(theirs.status_code, theirs.json().get("code")) == expected, about=about
    )
    tally.require(
        "bodies equal to those of ids of nothing",
        is_so=telling(theirs) == telling(nobody_s) and theirs.status_code == nobody_s.status_code,
        about=about,
    )
    tally.require("calls after which no table had changed", is_so=books() == before, about=about)


def _ask_as_roles(
    tally: Finding,
    roles: dict[str, Any],
    method: str,
    path: str,
    call: Call,
    slot: str,
    own: dict[str, str],
    foreign: dict[str, str],
) -> None:
    scopes = scopes_of(call)
    if {PUBLIC, AUTHENTICATED}.intersection(scopes):
        return
    for role, asks in roles.items():
        if ROLES[role].intersection(scopes):
            continue
        before = books()
        theirs, nobody_s = (
            _asked(asks, method, path, call, slot, own, others) for others in (foreign, ghosts())
        )
        about = f"{role}: {method} {path} with a customer's {slot}: {theirs.status_code}"
        tally.require(
            "calls of roles without the permission refused", is_so=theirs.status_code == 403, about=about
        )
        tally.require(
            "bodies equal to those of ids of nothing", is_so=telling(theirs) == telling(nobody_s), about=about
        )
        tally.require("calls after which no table had changed", is_so=books() == before, about=about)


def _asked(
    asks: Any,
    method: str,
    path: str,
    call: Call,
    slot: str,
    own: dict[str, str],
    others: dict[str, str],
) -> Answer:
    if slot in call.foreign:
        kind = slot.removesuffix("_id").removeprefix("from_")
        answer: Answer = made(asks, method, path, call, own, **{slot: others[kind]})
    else:
        answer = made(asks, method, path, call, {**own, slot: others[slot]})
    return answer


def fields_of_all_models() -> list[str]:
    """List the names of all fields of all models, and what they are called in SQL."""

    def names(model: type[Model]) -> Iterator[str]:
        for field in model._meta.concrete_fields:
            yield field.name
            yield field.attname

    return sorted({name for model in apps.get_models() for name in names(model)})


def assign_everything(
    tally: Finding, asks: Any, method: str, path: str, call: Call, own: dict[str, str]
) -> None:
    """Add every model's fields to a valid body: each that the call doesn't know is refused by name, and nothing moves."""
    body = filled(call.body, own)
    rows = body.get("transfers") if isinstance(body, dict) else None
    for target, where in ((body, ""), *((row, "a row: ") for row in rows or ())):
        added = {name: 1 for name in fields_of_all_models() if name not in target}
        before = books()
        target.update(added)
        answer = asks.call(method, filled(path, own), body)
        for name in added:
            del target[name]
        told = answer.json()
        named = {error["field"].rpartition(".")[2] for error in told.get("errors", ())}
        # What the call takes, though the matrix's body doesn't have it, is no other model's field.
        taken = set(added) - named
        about = f"{where}{method} {path}: {answer.status_code} {told.get('code')}, not refused: {sorted(taken)[:12]}"
        tally.require(
            "writes with every model's fields refused", is_so=answer.status_code == 400, about=about
        )
        tally["fields refused by name"] += len(named & set(added))
        tally["fields that the call takes itself"] += len(taken)
        tally.require("calls after which no table had changed", is_so=books() == before, about=about)


def scopes_of(call: Call) -> tuple[str, ...]:
    """List the permissions of which any opens the call."""
    return (call.scope,) if isinstance(call.scope, str) else call.scope


def _allowed(roles: dict[str, Any], asks: Any, call: Call) -> Any:
    scopes = scopes_of(call)
    if ROLES["user"].union({PUBLIC, AUTHENTICATED}).intersection(scopes):
        return asks
    return next(roles[role] for role, held in ROLES.items() if held.intersection(scopes))
