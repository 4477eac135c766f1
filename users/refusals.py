"""Refusals of the users app: expected answers of "no" with a stable code, as opposed to bugs."""

from typing import Any, ClassVar, TypedDict


class InputError(TypedDict):
    """What is wrong with one field; `field` is its dotted path, empty for the whole body."""

    field: str
    code: str
    detail: str


class Refusal(Exception):
    """A coded "no". `errors` names the fields at fault, `extra` joins the problem body, `headers` its headers."""

    code: ClassVar[str]
    default_detail: ClassVar[str] = ""
    default_headers: ClassVar[dict[str, str]] = {}

    def __init__(
        self,
        detail: str = "",
        *,
        field: str = "",
        errors: list[InputError] | None = None,
        extra: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.detail = detail or self.default_detail
        self.field = field
        self.errors: list[InputError] = errors or (
            [{"field": field, "code": "invalid", "detail": self.detail}] if field else []
        )
        self.extra = extra or {}
        self.headers = {**self.default_headers, **(headers or {})}
        super().__init__(f"{self.code}: {self.detail}")


class InvalidInput(Refusal):
    """The input breaks a rule: a bad address, a weak password, an e-mail address that is taken."""

    code = "validation_error"
    default_detail = "The request is not valid."


class WrongLogin(Refusal):
    """The account is unknown, or off, or the password is wrong: the three look alike."""

    code = "not_authenticated"
    default_detail = "These credentials do not open an account."
    default_headers = {"WWW-Authenticate": "Bearer"}


class InvalidToken(Refusal):
    """The token is malformed, forged, revoked, or was issued for something else."""

    code = "invalid_token"
    default_detail = "The token is not valid."
    default_headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class TokenExpired(Refusal):
    """The token was good once; its time is over."""

    code = "token_expired"
    default_detail = "The token has expired."
    default_headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}


class PermissionDenied(Refusal):
    """Whoever asks may not do this."""

    code = "permission_denied"
    default_detail = "This is not allowed."


class NotFound(Refusal):
    """There is no such user or service client."""

    code = "not_found"
    default_detail = "There is no such object."


class WrongProof(Refusal):
    """A person who is logged in has given a wrong password or code."""

    code = "wrong_proof"
    default_detail = "This is neither your password nor a code that is good now."


class SessionOver(Refusal):
    """The session in the back office has ended; `detail` is why: `idle` or `ended`."""

    code = "session_over"


class SecondFactorRequired(Refusal):
    """The password is right, and a code is needed beside it."""

    code = "second_factor_required"
    default_detail = "Send the code of your authenticator as one_time_code."
    default_headers = {"WWW-Authenticate": "Bearer"}


class OwnAccount(Refusal):
    """Nobody changes what they are themselves: not their role, nor their second factor."""

    code = "own_account"
    default_detail = "This is your own account: somebody else has to do it."


class LastAdmin(Refusal):
    """Without this person nobody could look after the staff."""

    code = "last_admin"
    default_detail = "This is the last administrator who is active: make another one first."


class TooManyLogins(Refusal):
    """The account or the address has tried too often; `Retry-After` tells when it may try again."""

    code = "rate_limited"
    default_detail = "Too many attempts to log in. Try again later."
