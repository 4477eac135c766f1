"""The authentication calls."""

from typing import ClassVar

from django.conf import settings
from django.http import HttpResponse
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request

from users.api.answers import answer, resource
from users.api.authentication import caller
from users.api.serializers import (
    BearerAnswer,
    ClientLoginBody,
    CustomerAnswer,
    NoticesBody,
    PasswordLoginBody,
    PublicKeysAnswer,
    RefreshBody,
    RegisterBody,
    TokensAnswer,
)
from users.api.views import StrictViewSet
from users.bearers import Bearer, bearer_of
from users.client_addresses import client_address
from users.credentials import public_keys
from users.preferences import choose_notices, notices_wanted
from users.principals import Principal
from users.refusals import PermissionDenied, TooManyLogins
from users.registration import register_customer
from users.roles import AUTHENTICATED, PUBLIC, SERVICE
from users.sessions import TokenPair, close_session, continue_session
from users.signing_in import log_in, log_in_client

TAG = "Authentication"
# Verifiers may keep the keys this long, so a new one is published longer than this before it signs.
JWKS_KEPT_S = 300


def tokens_shape(pair: TokenPair) -> dict[str, object]:
    """Show a pair of tokens."""
    return {
        "access": pair.access,
        "refresh": pair.refresh,
        "token_type": "Bearer",
        "expires_in": pair.expires_in_s,
    }


def bearer_shape(bearer: Bearer, principal: Principal) -> dict[str, object]:
    """Show who a token speaks for, with the role and the permissions that the token carries."""
    return {
        "id": bearer.id,
        "email": bearer.email,
        "client_id": bearer.client_id,
        "name": bearer.name,
        "role": principal.role,
        "permissions": sorted(principal.permissions),
        "time_zone": bearer.time_zone,
        "locale": bearer.locale,
        "created_at": bearer.created_at,
    }


class SessionViewSet(StrictViewSet):
    """Coming in and going out; the body holds the credentials, so an Authorization header isn't looked at."""

    authentication_classes = []
    scopes: ClassVar[dict[str, str]] = {
        "register": PUBLIC,
        "log_in": PUBLIC,
        "refresh": PUBLIC,
        "log_out": PUBLIC,
    }

    @extend_schema(
        operation_id="register",
        summary="Register a customer",
        tags=[TAG],
        auth=[],
        request=RegisterBody,
        responses={201: CustomerAnswer},
    )
    def register(self, request: Request) -> HttpResponse:
        """Create a customer who may log in. Closed by the operator, it answers 403."""
        if not settings.REGISTRATION_OPEN:
            raise PermissionDenied("Registration is closed.")
        body = RegisterBody.read(request)
        user = register_customer(email=body["email"], password=body["password"])
        shown = {"id": user.id, "email": user.email, "role": user.role, "created_at": user.created_at}
        return answer(shown, status=201)

    @extend_schema(
        operation_id="log_in",
        summary="Log in",
        tags=[TAG],
        auth=[],
        request=PolymorphicProxySerializer(
            component_name="LoginBody",
            serializers=[PasswordLoginBody, ClientLoginBody],
            resource_type_field_name=None,
        ),
        responses={200: TokensAnswer},
    )
    def log_in(self, request: Request) -> HttpResponse:
        """Exchange a person's e-mail address and password, or a client's id and secret, for tokens.

        An unknown account, a wrong password and one that was switched off are answered alike. Too many failures
        of one account or from one address are answered 429. Staff with a second factor send `one_time_code` as
        well; without it they are answered 401 `second_factor_required`, and only after a right password.
        """
        address = client_address(request._request)
        is_client = isinstance(request.data, dict) and not {"client_id", "client_secret"}.isdisjoint(
            request.data
        )
        try:
            if is_client:
                pair = log_in_client(**ClientLoginBody.read(request), address=address)
            else:
                pair = log_in(**PasswordLoginBody.read(request), address=address)
        except TooManyLogins as refusal:
            # The quota that was exceeded, in place of those of the gateway, which were not.
            self.headers.update(refusal.headers)
            raise
        return answer(tokens_shape(pair))

    @extend_schema(
        operation_id="refresh_tokens",
        summary="Exchange a refresh token",
        tags=[TAG],
        auth=[],
        request=RefreshBody,
        responses={200: TokensAnswer},
    )
    def refresh(self, request: Request) -> HttpResponse:
        """Give a new pair of tokens for a refresh token, which works once: using it again ends its session."""
        body = RefreshBody.read(request)
        return answer(tokens_shape(continue_session(refresh=body["refresh"])))

    @extend_schema(
        operation_id="log_out",
        summary="Log out",
        tags=[TAG],
        auth=[],
        request=RefreshBody,
        responses={200: dict[str, str]},
    )
    def log_out(self, request: Request) -> HttpResponse:
        """End the session of a refresh token. Access tokens that are out end by themselves, within minutes."""
        body = RefreshBody.read(request)
        close_session(refresh=body["refresh"])
        return answer({})


class MeViewSet(StrictViewSet):
    """The bearer of the token."""

    scopes: ClassVar[dict[str, str]] = {
        "retrieve": AUTHENTICATED,
        "notifications": AUTHENTICATED,
        "choose_notifications": AUTHENTICATED,
    }
    keys: ClassVar[dict[str, str]] = {"choose_notifications": "accepted"}

    @extend_schema(
        operation_id="me",
        summary="Who the token speaks for",
        tags=[TAG],
        responses={200: BearerAnswer},
    )
    def retrieve(self, request: Request) -> HttpResponse:
        """Tell who the token speaks for, its role and its permissions."""
        principal = caller(request)
        return resource(request, bearer_shape(bearer_of(principal=principal), principal))

    @extend_schema(
        operation_id="notifications",
        summary="Which notices the customer wants",
        tags=[TAG],
        responses={200: NoticesBody},
    )
    def notifications(self, request: Request) -> HttpResponse:
        """Tell which notices the person wants, by channel."""
        return resource(request, notices_wanted(user_id=_person(request).id))

    @extend_schema(
        operation_id="choose_notifications",
        summary="Choose notices",
        tags=[TAG],
        request=NoticesBody,
        responses={200: NoticesBody},
    )
    def choose_notifications(self, request: Request) -> HttpResponse:
        """Replace the choice of notices."""
        person = _person(request)
        return answer(choose_notices(principal=person, notices=NoticesBody.read(request)))


class KeysViewSet(StrictViewSet):
    """The public keys."""

    authentication_classes = []
    queried = frozenset()
    scopes: ClassVar[dict[str, str]] = {"list": PUBLIC}

    @extend_schema(
        operation_id="jwks",
        summary="Public keys of access tokens",
        tags=[TAG],
        auth=[],
        responses={200: PublicKeysAnswer},
    )
    def list(self, request: Request) -> HttpResponse:
        """Publish the keys that verify access tokens (EdDSA), by `kid`: the current one and the retiring ones."""
        return answer({"keys": public_keys()}, headers={"Cache-Control": f"public, max-age={JWKS_KEPT_S}"})


def _person(request: Request) -> Principal:
    principal = caller(request)
    if principal.role == SERVICE:
        raise PermissionDenied("A service client gets no notices.")
    return principal
