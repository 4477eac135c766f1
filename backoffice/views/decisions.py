"""Decisions on what waits in a queue, one row or many: what is the same for every queue of the back office."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from backoffice.form_calls import Outcome, back_to, chosen_in

APPROVE: Final = "approve"
REJECT: Final = "reject"

Decide = Callable[[HttpRequest, UUID, str], Outcome]
"""Decides on one row by its use case: the request, the row's id, APPROVE or REJECT."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue's name as it is shown, the routes of its list and of one row, and how a row is decided."""

    name: str | Promise
    route: str
    one_route: str
    decide: Decide


def answer_to_one(
    request: HttpRequest, queue: Queue, row_id: UUID, decision: str, *, done: str, then: str
) -> HttpResponse:
    """Decide on one row and say what came of it, `done` where it was done; where the form came from, or at `then`."""
    outcome = queue.decide(request, row_id, decision)
    if outcome.is_done:
        messages.success(request, done)
    else:
        messages.error(request, outcome.refusal)
    return back_to(request, then)


def answer_to_many(request: HttpRequest, queue: Queue, rows: QuerySet) -> HttpResponseBase:
    """Decide on the marked rows, each for itself, and show what came of each. Sent again it shows the same."""
    decision = REJECT if request.POST.get("decision") == REJECT else APPROVE
    chosen = chosen_in(request)
    if not chosen:
        messages.error(request, _("No row was marked."))
        return back_to(request, reverse(queue.route))
    outcomes = {row_id: queue.decide(request, row_id, decision) for row_id in chosen}
    found = rows.in_bulk(chosen)
    context = {
        "title": _("What came of it"),
        "is_rejection": decision == REJECT,
        "rows": [(found.get(row_id), outcome) for row_id, outcome in outcomes.items()],
        "done": sum(outcome.is_done for outcome in outcomes.values()),
        "queue_name": queue.name,
        "queue_url": reverse(queue.route),
        "one_route": queue.one_route,
    }
    return render(request, "backoffice/decided.html", context)
