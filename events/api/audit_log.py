"""The audit trail over HTTP."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request

from events.audit_log import AuditFilter, as_shown, every_entry
from events.clock import now
from events.models import AuditEntry
from users.api.answers import answer
from users.api.csv_files import csv_answer, text_cell
from users.api.pages import PageQuery, page, seek_rows
from users.api.views import StrictViewSet

COLUMNS = (
    *("id", "at", "actor", "action", "object_type", "object_id", "from_state", "to_state"),
    *("reason", "before", "after", "request_id", "address"),
)


class AuditLogQuery(PageQuery):
    """What to narrow the trail to, and the form."""

    actor = serializers.CharField(
        max_length=80, required=False, help_text="`role:id`, `system` or `operator`."
    )
    action = serializers.CharField(max_length=64, required=False, help_text="Such as `wallet.suspended`.")
    object_type = serializers.CharField(max_length=32, required=False, help_text="Such as `wallet`.")
    object_id = serializers.CharField(max_length=64, required=False)
    request_id = serializers.CharField(max_length=128, required=False)
    created_from = serializers.DateTimeField(required=False, help_text="The first moment.")
    created_to = serializers.DateTimeField(required=False, help_text="The moment just after the last one.")
    format = serializers.ChoiceField(
        choices=["json", "csv"],
        default="json",
        help_text="`csv` exports everything that fits, whatever `limit` and `cursor` say.",
    )


class AuditEntryView(serializers.Serializer[Any]):
    """One change of state, or one look at something private."""

    id = serializers.UUIDField()
    at = serializers.DateTimeField()
    actor = serializers.CharField()
    action = serializers.CharField()
    object_type = serializers.CharField()
    object_id = serializers.CharField(allow_blank=True)
    from_state = serializers.CharField(allow_null=True)
    to_state = serializers.CharField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    before = serializers.DictField(allow_null=True)
    after = serializers.DictField(allow_null=True)
    request_id = serializers.CharField(allow_blank=True)
    address = serializers.CharField(allow_blank=True)


class AuditEntryPage(serializers.Serializer[Any]):
    """A page of the trail, newest first."""

    results = AuditEntryView(many=True)
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)


class AuditLogViewSet(StrictViewSet):
    """Who did what, when, from where and why."""

    scopes = {"list": "audit:read"}

    @extend_schema(
        operation_id="list_audit_log",
        summary="Read the audit trail",
        tags=["Administration"],
        parameters=[AuditLogQuery],
        responses={(200, "application/json"): AuditEntryPage, (200, "text/csv"): OpenApiTypes.STR},
    )
    def list(self, request: Request) -> HttpResponseBase:
        """List the entries, newest first, or export all of them as CSV. Reading the trail is recorded in it."""
        query = AuditLogQuery.read(request)
        narrowed = AuditFilter(
            **{name: query.get(name) for name in AuditFilter.__dataclass_fields__},
        )
        if query["format"] == "csv":
            return csv_answer(_rows(narrowed), filename=f"audit-log-{now():%Y-%m-%d}.csv")
        return _page(request, query, narrowed)


def _page(request: Request, query: dict[str, Any], narrowed: AuditFilter) -> HttpResponse:
    return answer(
        page(
            request,
            lambda seek: seek_rows(narrowed.entries(), seek, by=["id"]),
            query=query,
            key=lambda entry: (str(entry.id),),
            shape=as_shown,
        )
    )


def _rows(narrowed: AuditFilter) -> Iterator[Sequence[str]]:
    yield COLUMNS
    for entry in every_entry(narrowed):
        yield [text_cell(cell) for cell in _cells(entry)]


def _cells(entry: AuditEntry) -> Iterator[str]:
    for value in as_shown(entry).values():
        if value is None:
            yield ""
        elif isinstance(value, dict):
            yield orjson.dumps(value).decode()
        else:
            yield (
                value
                if isinstance(value, str)
                else orjson.dumps(value, option=orjson.OPT_UTC_Z).decode()[1:-1]
            )
