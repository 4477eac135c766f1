"""Saved cards over HTTP."""

from typing import Any, ClassVar
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from events.clock import now
from tokens.api.serializers import CardBody, EmptyBody, TokenPage, TokenResource, TokensQuery, ValidatedToken
from tokens.models import PaymentToken
from tokens.queries import saved_tokens, shown, token_within, tokens_within
from tokens.tokenization import delete_token, tokenize_card, validate_token
from transactions.api.keys import keyed_answer, keyed_call, rendered
from transactions.idempotency import Answer, resource_id
from transactions.refusals import InvalidInput, NotFound
from users.api.answers import answer, json_bytes, resource
from users.api.authentication import caller
from users.api.pages import page, seek_rows
from users.api.views import StrictViewSet
from users.principals import Principal


@extend_schema(tags=["Tokens"])
class TokenViewSet(StrictViewSet):
    """Cards that customers save, to pay with again. The card's number stays in the vault."""

    scopes: ClassVar = {
        "list": "token:read",
        "retrieve": "token:read",
        "card": "token:write",
        "validate": "token:write",
        "destroy": "token:write",
    }
    keys: ClassVar = {"card": "accepted", "validate": "accepted", "destroy": "accepted"}

    @extend_schema(summary="List saved cards", parameters=[TokensQuery], responses={200: TokenPage})
    def list(self, request: Request) -> HttpResponse:
        """The saved cards that are not deleted, newest first."""
        query = TokensQuery.read(request)
        principal = caller(request)
        tokens = saved_tokens(owner_id=principal.owner_id)
        if "user_id" in query:
            tokens = tokens.filter(user_id=_within_reach(principal, query["user_id"]))
        at = now()
        return answer(
            page(
                request,
                lambda seek: seek_rows(tokens, seek, by=["id"]),
                query=query,
                key=lambda token: (token.id,),
                shape=lambda token: shown(token, at=at),
            )
        )

    @extend_schema(summary="Read a saved card", responses={200: TokenResource})
    def retrieve(self, request: Request, token_id: UUID) -> HttpResponse:
        """One saved card; a deleted one is 410 `token_deleted`."""
        token = token_within(token_id=token_id, owner_id=caller(request).owner_id)
        return resource(request, shown(token, at=now()))

    @extend_schema(summary="Save a card", request=CardBody, responses={201: TokenResource})
    def card(self, request: Request) -> HttpResponse:
        """Put a card into the vault. The number is never shown again, the security code never kept."""
        body = CardBody.read(request)
        principal = caller(request)
        call = keyed_call(
            request, lambda token: rendered(201, _token(token), f"token:{token.id}"), _as_it_is_now
        )
        return keyed_answer(
            tokenize_card(
                owner_id=_owner_named(principal, body.pop("user_id", None)),
                actor=principal.name,
                call=call,
                **body,
            )
        )

    @extend_schema(summary="Validate a saved card", request=EmptyBody, responses={200: ValidatedToken})
    def validate(self, request: Request, token_id: UUID) -> HttpResponse:
        """Ask the vault whether the card can still be charged: `valid` says so, `status` why not."""
        EmptyBody.read(request)
        principal = caller(request)
        call = keyed_call(
            request, lambda token: rendered(200, _validated(token), f"token:{token.id}"), _as_validated_now
        )
        return keyed_answer(
            validate_token(token_id=token_id, owner_id=principal.owner_id, actor=principal.name, call=call)
        )

    @extend_schema(summary="Delete a saved card", responses={204: None})
    def destroy(self, request: Request, token_id: UUID) -> HttpResponse:
        """Delete the token and what the vault keeps for it. It can't be undone."""
        principal = caller(request)
        call = keyed_call(request, lambda token: Answer(204, b"", f"token:{token.id}"))
        return keyed_answer(
            delete_token(token_id=token_id, owner_id=principal.owner_id, actor=principal.name, call=call)
        )


def _owner_named(principal: Principal, user_id: UUID | None) -> UUID:
    """Tell whose card it will be: the customer's own, or that of whom a service client or staff names.

    Refuses with InvalidInput who must name a customer and doesn't, with NotFound a customer who names another.
    """
    if user_id is not None:
        return _within_reach(principal, user_id)
    if principal.owner_id is None:
        raise InvalidInput("Name the customer that the card belongs to.", field="user_id")
    return principal.owner_id


def _within_reach(principal: Principal, user_id: UUID) -> UUID:
    """Give the id back when the principal may act for that customer. Refuses with NotFound."""
    if principal.owner_id not in (None, user_id):
        raise NotFound("There is no such customer.", field="user_id")
    return user_id


def _token(token: PaymentToken) -> dict[str, Any]:
    return shown(token, at=now())


def _validated(token: PaymentToken) -> dict[str, Any]:
    facts = _token(token)
    return {**facts, "valid": facts["status"] == "active"}


def _as_it_is_now(resource: str) -> bytes:
    """The body for a key whose first answer is kept no longer."""
    return json_bytes(_token(tokens_within(owner_id=None).get(id=resource_id(resource))))


def _as_validated_now(resource: str) -> bytes:
    """The body for a key of `validate` whose first answer is kept no longer."""
    return json_bytes(_validated(tokens_within(owner_id=None).get(id=resource_id(resource))))
