"""The page that moves a sandbox's time; production has none."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from backoffice.staff_pages import person_of, staff_page
from payments.clock_moves import move_clock, time_now
from transactions.refusals import Refusal

SPANS = (
    ("", gettext_lazy("To the moment below")),
    ("3600", gettext_lazy("1 hour")),
    ("86400", gettext_lazy("1 day")),
    ("604800", gettext_lazy("1 week")),
    ("2678400", gettext_lazy("31 days")),
)


class MoveForm(forms.Form):
    """How far to move time, and whose; moments in the session's time zone."""

    advance_s = forms.TypedChoiceField(
        choices=SPANS, coerce=int, empty_value=None, required=False, label=gettext_lazy("By")
    )
    now = forms.DateTimeField(required=False, label=gettext_lazy("To"))
    wallet_id = forms.UUIDField(required=False, label=gettext_lazy("Only this wallet’s"))

    def clean(self) -> dict[str, Any]:
        """Refuse a move without a goal, and one with two."""
        given = super().clean() or {}
        if not self.errors and (given.get("advance_s") is None) == (given.get("now") is None):
            raise forms.ValidationError(_("Choose a span, or write a moment."))
        return given


@staff_page("settings:manage")
@require_http_methods(["GET", "HEAD", "POST"])
def test_clock(request: HttpRequest) -> HttpResponse:
    """Show the sandbox's time; move it on POST, and show what ran."""
    form = MoveForm(request.POST if request.method == "POST" else None, label_suffix="")
    moved: dict[str, Any] | None = None
    if form.is_valid():
        person, given = person_of(request), form.cleaned_data
        try:
            moved = move_clock(
                advance=None if given["advance_s"] is None else timedelta(seconds=given["advance_s"]),
                to=given["now"],
                wallet_id=given["wallet_id"],
                actor=f"{person.role}:{person.id}",
            )
        except Refusal as refusal:
            form.add_error(None, refusal.detail)
    context = {
        "title": _("Test clock"),
        "form": form,
        "moved": moved,
        "shown": moved or time_now(wallet_id=None),
        "machine": datetime.now(UTC),
    }
    return render(request, "backoffice/test_clock.html", context, status=400 if form.errors else 200)
