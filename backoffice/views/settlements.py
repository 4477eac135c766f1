"""Processors' reports: importing one, what doesn't agree with it, and resolving that by two people."""

from datetime import date
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from backoffice.form_calls import (
    LONGEST_REASON,
    Outcome,
    back_to,
    form_call,
    new_form_key,
    outcome_of,
    reason_in,
    uuid_or_none,
)
from backoffice.key_pages import key_page
from backoffice.reauthentication import recently_proved
from backoffice.staff_pages import staff_page
from events.screens import audit_panel
from payments.api.settlements import break_rows
from payments.models import (
    BreakKind,
    BreakStatus,
    ReportFormat,
    Resolution,
    SettlementBreak,
    SettlementImport,
    SettlementRow,
)
from payments.settlement_breaks import propose_resolution, resolve_break, send_back
from payments.settlement_imports import MAY_RECONCILE, ReportFile, import_report
from payments.settlement_proofs import settlement_proofs
from payments.settlement_reports import LARGEST_FILE, OWN_COLUMNS
from transactions.models import Transaction
from users.api.csv_files import csv_answer
from users.principals import Principal
from users.staff_screens import principal_of, record_look

MAY_SEE: Final = "report:read"


@staff_page(MAY_SEE)
@require_safe
def imports(request: HttpRequest) -> HttpResponse:
    """Show the proof of each processor's accounts, and the reports that were imported, newest first."""
    context = {
        "title": _("Settlement reports"),
        "page": key_page(request, SettlementImport.objects.all()),
        "proofs": settlement_proofs(),
        "may_import": principal_of(request).may(MAY_RECONCILE),
    }
    return render(request, "backoffice/settlement_imports.html", context)


@staff_page(MAY_RECONCILE)
@require_http_methods(["GET", "HEAD", "POST"])
def import_one(request: HttpRequest) -> HttpResponse:
    """Import a report from a file, and lead to what came of it."""
    problem = ""
    if request.method == "POST":
        done = _import(request)
        if isinstance(done, SettlementImport):
            return HttpResponseRedirect(reverse("backoffice:settlement-import", args=[done.id]))
        problem = done
    context = {
        "title": _("Import a settlement report"),
        "problem": problem,
        "given": request.POST,
        "formats": ReportFormat.choices,
        "processor": settings.PAYMENT_PROCESSOR,
        "columns": ", ".join(OWN_COLUMNS),
        "megabytes": LARGEST_FILE // 1024 // 1024,
        "form_key": new_form_key(),
    }
    return render(request, "backoffice/settlement_import_form.html", context, status=422 if problem else 200)


@staff_page(MAY_SEE)
@require_safe
def one_import(request: HttpRequest, import_id: UUID) -> HttpResponse:
    """Show one report, its breaks and its rows."""
    report = get_object_or_404(SettlementImport, id=import_id)
    record_look(request, "screen", "payments.settlementimport", import_id)
    found = SettlementBreak.objects.filter(report=report).select_related("row").order_by("-id")
    context = {
        "title": _("Settlement report"),
        "report": report,
        "breaks": found[:20],
        "page": key_page(request, SettlementRow.objects.filter(report=report)),
        "history": audit_panel("settlement_report", import_id, has_looks=False),
    }
    return render(request, "backoffice/settlement_import.html", context)


@staff_page(MAY_SEE)
@require_safe
def breaks(request: HttpRequest) -> HttpResponseBase:
    """List the breaks of one state, the open ones by default; all that match as a CSV file where it is asked for."""
    asked = {name: request.GET.get(name, "") for name in ("status", "kind", "processor")}
    status = asked["status"] if asked["status"] in BreakStatus.values else BreakStatus.OPEN.value
    kind = asked["kind"] if asked["kind"] in BreakKind.values else ""
    import_id = uuid_or_none(request.GET.get("import_id", ""))
    found = SettlementBreak.objects.filter(status=status).select_related("row")
    for name, value in (("kind", kind), ("processor", asked["processor"]), ("report_id", import_id)):
        if value:
            found = found.filter(**{name: value})
    record_look(request, "list", "payments.settlementbreak")
    if request.GET.get("format") == "csv":
        return csv_answer(break_rows(found), filename="breaks.csv")
    is_waiting = status in (BreakStatus.OPEN, BreakStatus.PROPOSED)
    as_file = request.GET.copy()
    as_file["format"] = "csv"
    context = {
        "title": _("Breaks"),
        "page": key_page(request, found, is_oldest_first=is_waiting),
        "status": status,
        "statuses": BreakStatus.choices,
        "kind": kind,
        "kinds": BreakKind.choices,
        "processor": asked["processor"],
        "import_id": import_id or "",
        "file_query": as_file.urlencode(),
    }
    return render(request, "backoffice/settlement_breaks.html", context)


@staff_page(MAY_SEE)
@require_safe
def one_break(request: HttpRequest, break_id: UUID) -> HttpResponse:
    """Show both sides of one break, what has happened to it, and the next step to those who may take it."""
    found = get_object_or_404(
        SettlementBreak.objects.select_related("row", "report", "adjustment"), id=break_id
    )
    record_look(request, "screen", "payments.settlementbreak", break_id)
    principal = principal_of(request)
    lines = Transaction.objects.select_related("transfer")
    line = lines.filter(id=found.line_id).first() if found.line_id is not None else None
    context = {
        "title": _("Break"),
        "found": found,
        "line": line,
        "may_decide": principal.may(MAY_RECONCILE),
        "why_not": _why_not(found, principal),
        "resolutions": Resolution.choices,
        "history": audit_panel("settlement_break", break_id, has_looks=False),
        "form_key": new_form_key(),
        "longest_reason": LONGEST_REASON,
    }
    return render(request, "backoffice/settlement_break.html", context)


@staff_page(MAY_RECONCILE)
@require_POST
def propose(request: HttpRequest, break_id: UUID) -> HttpResponse:
    """Propose how one break is resolved, and say what came of it."""
    principal, reason = principal_of(request), reason_in(request)
    resolution = request.POST.get("resolution", "")
    adjustment_id = uuid_or_none(request.POST.get("adjustment_id", "").strip())
    if resolution not in Resolution.values or not reason:
        outcome = Outcome(break_id, _("Say how it is resolved and why, in up to 500 characters."))
    else:
        call = form_call(request, principal, "propose", break_id, resolution, adjustment_id)
        outcome = outcome_of(
            break_id,
            lambda: propose_resolution(
                break_id=break_id,
                resolution=Resolution(resolution),
                reason=reason,
                adjustment_id=adjustment_id,
                principal=principal,
                call=call,
            ),
        )
    return _told(request, outcome, _("The break waits for somebody else to resolve it."))


@staff_page(MAY_RECONCILE)
@require_POST
@recently_proved
def resolve(request: HttpRequest, break_id: UUID) -> HttpResponse:
    """Resolve one break as it was proposed, and say what came of it."""
    principal = principal_of(request)
    call = form_call(request, principal, "resolve", break_id)
    outcome = outcome_of(break_id, lambda: resolve_break(break_id=break_id, principal=principal, call=call))
    return _told(request, outcome, _("The break is resolved."))


@staff_page(MAY_RECONCILE)
@require_POST
def open_again(request: HttpRequest, break_id: UUID) -> HttpResponse:
    """Send one break's proposal back for the reason given, and say what came of it."""
    principal, reason = principal_of(request), reason_in(request)
    if not reason:
        outcome = Outcome(break_id, _("Say why you send it back, in up to 500 characters."))
    else:
        call = form_call(request, principal, "send_back", break_id)
        outcome = outcome_of(
            break_id,
            lambda: send_back(break_id=break_id, reason=reason, principal=principal, call=call),
        )
    return _told(request, outcome, _("The break is open again."))


def _import(request: HttpRequest) -> SettlementImport | str:
    """Import by the use case, once for the file; tells what is wrong, if anything is."""
    sent, given = request.FILES.get("file"), request.POST
    if sent is None:
        return _("Choose a file.")
    if sent.size is None or sent.size > LARGEST_FILE:
        return _("The file is too large. Split it by days.")
    try:
        first_day, last_day = (date.fromisoformat(given.get(name, "")) for name in ("first_day", "last_day"))
        form = ReportFormat(given.get("format", ""))
    except ValueError:
        return _("Say the format, and the first and the last day.")
    file = ReportFile(
        processor=given.get("processor", "").strip(),
        format=form,
        currency=given.get("currency", "").strip().upper(),
        first_day=first_day,
        last_day=last_day,
        file_name=(sent.name or "")[:200],
        content=sent.read(),
    )
    principal = principal_of(request)
    call = form_call(request, principal, "import", sha256(file.content).hexdigest())
    kept: list[SettlementImport] = []

    def act() -> None:
        answer = import_report(file=file, principal=principal, call=call)
        report_id = UUID(answer.resource.rpartition(":")[2])
        kept.append(SettlementImport.objects.get(id=report_id))

    outcome = outcome_of("import", act)
    return kept[0] if outcome.is_done else outcome.refusal


def _why_not(found: SettlementBreak, principal: Principal) -> str:
    """Tell why somebody can't take the next step; nothing where they can."""
    if found.status == BreakStatus.RESOLVED:
        return _("It has been resolved.")
    if found.status == BreakStatus.CLEARED:
        return _("Its counterpart was found: there is nothing to resolve.")
    if not principal.may(MAY_RECONCILE):
        return _("Your role may not resolve breaks.")
    if found.status == BreakStatus.PROPOSED and found.proposed_by == principal.id:
        return _("You have proposed it yourself: somebody else has to resolve it.")
    return ""


def _told(request: HttpRequest, outcome: Outcome, done: str) -> HttpResponse:
    if outcome.is_done:
        messages.success(request, done)
    else:
        messages.error(request, outcome.refusal)
    return back_to(request, reverse("backoffice:settlement-break", args=[outcome.key]))
