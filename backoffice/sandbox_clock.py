"""The page that moves a sandbox's time; production has none."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from payments.clock_moves import move_clock, time_now
from transactions.refusals import Refusal
from users.models import User
from users.staff_screens import NOTHING, Figure, Panel, identifier, moment

MAY_MOVE = "settings:manage"
SPANS = (
    ("", "To the moment below"),
    ("3600", "1 hour"),
    ("86400", "1 day"),
    ("604800", "1 week"),
    ("2678400", "31 days"),
)

_COLUMNS = (("At (UTC)", ""), ("What", ""), ("Object", ""), ("From", ""), ("To", ""), ("Reason", ""))


class MoveForm(forms.Form):
    """How far to move time, and whose."""

    advance_s = forms.TypedChoiceField(
        choices=SPANS, coerce=int, empty_value=None, required=False, label="By"
    )
    now = forms.DateTimeField(required=False, label="To (UTC)")
    wallet_id = forms.UUIDField(required=False, label="Only this wallet's")

    def clean(self) -> dict[str, Any]:
        """Refuse a move without a goal, and one with two."""
        given = super().clean() or {}
        if (given.get("advance_s") is None) == (given.get("now") is None):
            raise forms.ValidationError("Choose a span, or write a moment.")
        return given


def may_move_clock(request: HttpRequest) -> bool:
    """Tell whether whoever is logged in may move the sandbox's time."""
    return isinstance(request.user, User) and request.user.may(MAY_MOVE)


def sandbox_clock(request: HttpRequest) -> HttpResponse:
    """Show the sandbox's time; move it on POST, and show what ran."""
    person = request.user
    if not isinstance(person, User) or not may_move_clock(request):
        raise PermissionDenied
    form = MoveForm(request.POST if request.method == "POST" else None)
    problem, ran, wallet_id = "", None, None
    if request.method == "POST":
        if form.is_valid():
            wallet_id = form.cleaned_data["wallet_id"]
            problem, ran = _moved(form.cleaned_data, actor=f"{person.role}:{person.id}")
        else:
            problem = " ".join(str(message) for messages in form.errors.values() for message in messages)
    shown = time_now(wallet_id=None if problem else wallet_id)
    context = {
        **admin.site.each_context(request),
        "title": "Test clock",
        "problem": problem,
        "form": form,
        "figures": [
            Figure("Now" if shown["wallet_id"] is None else "Now, for this wallet", moment(shown["now"])),
            Figure("Machine", moment(datetime.now(UTC))),
        ],
        "panels": [] if ran is None else [Panel("What ran", _COLUMNS, [_cells(one) for one in ran])],
        "wallet_id": wallet_id,
    }
    return TemplateResponse(request, "admin/sandbox_clock.html", context, status=400 if problem else 200)


def _moved(given: dict[str, Any], *, actor: str) -> tuple[str, list[dict[str, Any]] | None]:
    """Move the clock; give what is wrong with that, or what ran."""
    advance_s: int | None = given["advance_s"]
    wallet_id: UUID | None = given["wallet_id"]
    try:
        moved = move_clock(
            advance=None if advance_s is None else timedelta(seconds=advance_s),
            to=given["now"],
            wallet_id=wallet_id,
            actor=actor,
        )
    except Refusal as refusal:
        return refusal.detail, None
    return "", moved["ran"]


def _cells(one: dict[str, Any]) -> tuple[object, ...]:
    return (
        moment(one["at"]),
        one["action"],
        identifier(one["object_id"]),
        *(one[name] or NOTHING for name in ("from_state", "to_state", "reason")),
    )
