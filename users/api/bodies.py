"""Reading what a client sends: known fields only, in their own JSON types, refused by name otherwise.

A class is declared as any DRF serializer is (so the OpenAPI document sees it) but read without making one for each
request: the fields of each class are bound once and keep no state.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as DjangoValidationError
from rest_framework import serializers
from rest_framework.exceptions import APIException, ErrorDetail, ValidationError
from rest_framework.fields import SkipField, empty
from rest_framework.request import Request

from users.refusals import InputError

UNKNOWN_FIELD = "unknown_field"
UNKNOWN_PARAMETER = "unknown_parameter"


class InvalidRequest(APIException):
    """The request can't be understood; `errors` names each field at fault."""

    status_code = 400
    default_code = "validation_error"
    default_detail = "The request is not valid."

    def __init__(self, errors: list[InputError], code: str = default_code) -> None:
        first = errors[0]
        named = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
        super().__init__(detail=named, code=code)
        self.errors = errors
        self.code = code


class TextField(serializers.CharField):
    """A JSON string; numbers don't pass for one."""

    def to_internal_value(self, data: Any) -> str:
        """Read the text. Refuses everything but strings."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class FlagField(serializers.BooleanField):
    """`true` or `false`; 0, 1 and words don't pass for them."""

    def to_internal_value(self, data: Any) -> bool:
        """Read the flag. Refuses everything but JSON booleans."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictBody(serializers.Serializer[Any]):
    """The body of a request: a JSON object with the declared fields and no other, at every depth."""

    unknown_code: ClassVar[str] = UNKNOWN_FIELD
    unknown_detail: ClassVar[str] = "There is no such field."

    _inputs: list[tuple[str, serializers.Field[Any, Any, Any, Any], str]]
    _names: frozenset[str]

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """Read the body of a request. Refuses with InvalidRequest."""
        return cls.check(request.data)

    @classmethod
    def check(cls, data: Any) -> dict[str, Any]:
        """Read an object that has been parsed. Refuses with InvalidRequest, naming every field at fault."""
        if not isinstance(data, dict):
            raise InvalidRequest(
                [{"field": "", "code": "invalid", "detail": "The body must be a JSON object."}]
            )
        try:
            refuse_unstorable_text(data)
            values: dict[str, Any] = _reader(cls).run_validation(data)
        except ValidationError as refused:
            errors = list(flattened(refused.detail))
            unknown = any(error["code"] == cls.unknown_code for error in errors)
            raise InvalidRequest(
                errors, cls.unknown_code if unknown else InvalidRequest.default_code
            ) from None
        return values

    def run_validation(self, data: Any = empty) -> Any:
        """Read the object: every field, then `validate`."""
        is_absent, data = self.validate_empty_values(data)
        if is_absent:
            return data
        values = self.to_internal_value(data)
        try:
            return self.validate(values)
        except DjangoValidationError as refused:
            raise ValidationError(serializers.as_serializer_error(refused)) from None

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Read every field of a JSON object and collect what is wrong with all of them."""
        if not isinstance(data, dict):
            raise ValidationError("This must be a JSON object.", code="invalid")
        try:
            inputs = self._inputs
        except AttributeError:
            writable = [field for field in self.fields.values() if not field.read_only]
            self._names = frozenset(str(field.field_name) for field in writable)
            inputs = self._inputs = [(str(field.field_name), field, str(field.source)) for field in writable]
        values: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name in data:
            if name not in self._names:
                errors[name] = [ErrorDetail(self.unknown_detail, code=self.unknown_code)]
        for name, field, source in inputs:
            try:
                values[source] = field.run_validation(data.get(name, empty))
            except SkipField:
                continue
            except ValidationError as refused:
                errors[name] = refused.detail
            except DjangoValidationError as refused:
                errors[name] = serializers.as_serializer_error(refused)["non_field_errors"]
        if errors:
            raise ValidationError(errors)
        return values


@cache
def _reader(body: type[StrictBody]) -> StrictBody:
    return body()


class StrictQuery(StrictBody):
    """The query parameters of a request: the declared ones, each once, and no other."""

    unknown_code = UNKNOWN_PARAMETER
    unknown_detail = "There is no such query parameter."

    @classmethod
    def read(cls, request: Request) -> dict[str, Any]:
        """Read the query parameters. Refuses with InvalidRequest."""
        if not request.META.get("QUERY_STRING"):
            return _of_no_query(cls).copy()
        given = request.GET
        repeated = [name for name, values in given.lists() if len(values) > 1]
        if repeated:
            raise InvalidRequest(
                [
                    {"field": name, "code": "repeated", "detail": "Give this parameter once."}
                    for name in repeated
                ]
            )
        return cls.check(given.dict())


@cache
def _of_no_query(query: type[StrictQuery]) -> dict[str, Any]:
    return query.check({})


def refuse_unstorable_text(data: Any, path: tuple[str, ...] = ()) -> None:
    """Refuse NUL characters and lone surrogates anywhere in parsed JSON: PostgreSQL stores neither."""
    if isinstance(data, str):
        if "\0" in data or (
            not data.isascii() and any("\ud800" <= character <= "\udfff" for character in data)
        ):
            detail: Any = [
                ErrorDetail("NUL characters and lone surrogates are not allowed.", code="invalid_text")
            ]
            for name in reversed(path):
                detail = {name: detail}
            raise ValidationError(detail)
    elif isinstance(data, Mapping):
        for name, value in data.items():
            if "\0" in name or not name.isascii():
                refuse_unstorable_text(name, path)
            if not isinstance(value, int):
                refuse_unstorable_text(value, (*path, name))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            if not isinstance(value, int):
                refuse_unstorable_text(value, (*path, str(index)))


def flattened(detail: Any, path: str = "") -> Iterator[InputError]:
    """Turn DRF's nested errors into a flat list with dotted paths."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            below = path if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            yield from flattened(inner, below)
    elif isinstance(detail, list):
        for index, inner in enumerate(detail):
            if isinstance(inner, ErrorDetail):
                yield from flattened(inner, path)
            elif inner:
                yield from flattened(inner, f"{path}.{index}" if path else str(index))
    else:
        yield {"field": path, "code": getattr(detail, "code", "invalid"), "detail": str(detail)}
