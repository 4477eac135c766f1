"""Why a wallet stands where it does: each figure, the lines that make it, and the proof that they do."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from backoffice.personal_data import person_shown
from backoffice.staff_pages import staff_page
from events.clock import now
from transactions.amount_cells import amount_cell
from transactions.explanations import BalanceExplanation, explain_balance
from transactions.history import HistoryFilter, wallet_history
from transactions.models import Hold, HoldStatus, PostingStatus, Transaction
from transactions.queries import BookLine, seq_at
from transactions.replicas import read_accounts
from users.staff_screens import (
    NOTHING,
    Figure,
    Panel,
    identifier,
    moment,
    record_look,
    screen_url,
    state,
)
from wallets.models import Wallet

LINES_SHOWN = 50
OLDER_THAN = "older_than"

_TYPE_COLUMNS = (("Type", ""), ("Lines", "numeric"), ("Sum", "numeric"))
_PROOF_COLUMNS = (("What has to hold", ""), ("What the book says", "numeric"), ("Verdict", ""))
_LINE_COLUMNS = (
    ("No.", ""),
    ("Completed", ""),
    ("Transaction", ""),
    ("Type", ""),
    ("Balance before", "numeric"),
    ("Amount", "numeric"),
    ("Balance after", "numeric"),
)
_HELD_COLUMNS = (("Kept by", ""), ("Id", ""), ("Amount", "numeric"), ("Since", ""))


@staff_page("transaction:read")
@require_safe
def explained_balance(request: HttpRequest, wallet_id: UUID) -> HttpResponse:
    """Explain a wallet's balance now, or as it stood at `?at=` (UTC where it doesn't say otherwise)."""
    wallet = Wallet.objects.select_related("account", "user").filter(pk=wallet_id).first()
    if wallet is None:
        raise Http404
    asked = request.GET.get("at", "").strip()
    at = _moment(asked)
    problem = f"“{asked}” is no moment. Write it as 2026-10-31 12:00." if asked and at is None else ""
    explained = read_accounts([wallet_id], lambda using: explain_balance(wallet_id, at=at, using=using))
    lines, older = _lines(wallet_id, at, request.GET.get(OLDER_THAN, ""))
    panels = []
    figures = [
        Figure("Balance", amount_cell(explained.closing, wallet.currency)),
        Figure("Lines", SafeString(f"{explained.proof.lines:,}")),
        Figure("Proof", state("agrees" if explained.proof.agrees else "differs")),
    ]
    if at is None:
        figures.insert(1, Figure("Held", amount_cell(wallet.account.held, wallet.currency)))
        panels.append(_held(wallet))
    panels.append(Panel("The lines, the newest first", _LINE_COLUMNS, [_line_cells(line) for line in lines]))
    record_look(request, "screen", "wallets.wallet", wallet_id)
    context = {
        "title": _("Why the balance is what it is"),
        "currency": wallet.currency,
        "person": person_shown(request, wallet.user),
        "key": wallet_id,
        "asked": asked,
        "problem": problem,
        "shown_at": moment(at or now()),
        "figures": figures,
        "proofs": [_sums(explained, wallet.currency), _proof(explained, wallet.currency)],
        "panels": panels,
        "older": older,
    }
    return render(request, "backoffice/explanation.html", context)


def _moment(text: str) -> datetime | None:
    try:
        found = parse_datetime(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _lines(wallet_id: UUID, at: datetime | None, older_than: str) -> tuple[list[BookLine], int | None]:
    """Read one page of the lines until the moment, and the number beyond which there is another page."""
    beyond = (
        int(older_than) if older_than.isascii() and older_than.isdigit() and len(older_than) < 19 else None
    )

    def fetch(using: str) -> list[BookLine]:
        start = beyond
        if start is None and at is not None:
            start = seq_at(wallet_id, at, using=using) + 1
        return wallet_history(
            wallet_id,
            HistoryFilter(status=PostingStatus.COMPLETED),
            key=None if start is None else (0, start),
            is_backwards=False,
            count=LINES_SHOWN + 1,
            using=using,
        )

    found = read_accounts([wallet_id], fetch)
    page = found[:LINES_SHOWN]
    return page, page[-1].seq if len(found) > LINES_SHOWN else None


def _sums(explained: BalanceExplanation, currency: str) -> Panel:
    rows: list[Sequence[object]] = [
        (
            one.type.replace("_", " ").capitalize(),
            f"{one.count:,}",
            amount_cell(one.amount, currency, with_sign=True),
        )
        for one in explained.sums
    ]
    total = (
        format_html("<strong>{}</strong>", "Balance"),
        f"{explained.proof.lines:,}",
        amount_cell(explained.proof.sum, currency),
    )
    return Panel("What makes it", _TYPE_COLUMNS, [*rows, total])


def _proof(explained: BalanceExplanation, currency: str) -> Panel:
    proof = explained.proof
    is_whole = proof.lines == (proof.last_seq or 0)
    after = proof.balance_after_of_last
    numbers = f"{proof.first_seq:,} to {proof.last_seq:,}" if proof.first_seq and proof.last_seq else "none"
    counted = format_html('<span class="amount">{}</span>', f"{proof.lines:,} lines, numbered {numbers}")
    rows = (
        ("No line is missing", counted, _verdict(is_whole)),
        (
            "They sum to the balance",
            amount_cell(proof.sum, currency),
            _verdict(proof.sum == explained.closing),
        ),
        (
            "The last line says the same",
            NOTHING if after is None else amount_cell(after, currency),
            _verdict((after or 0) == explained.closing),
        ),
    )
    return Panel("The proof", _PROOF_COLUMNS, rows)


def _verdict(holds: bool) -> SafeString:  # noqa: FBT001 - a verdict is what it takes
    return state("agrees" if holds else "differs")


def _held(wallet: Wallet) -> Panel:
    """List what keeps money from being spent: open holds, and debits that are pending."""
    holds = Hold.objects.filter(account_id=wallet.pk, status=HoldStatus.OPEN)
    debits = Transaction.objects.filter(account_id=wallet.pk, status=PostingStatus.PENDING, amount__lt=0)
    rows = [
        (
            "Hold",
            identifier(hold.id),
            amount_cell(hold.amount - hold.captured, wallet.currency),
            moment(hold.created_at),
        )
        for hold in holds.order_by("-created_at", "-id")[:LINES_SHOWN]
    ]
    rows += [
        (
            line.get_type_display(),
            identifier(line.id, url=screen_url("transactions.transaction", line.id)),
            amount_cell(-line.amount, wallet.currency),
            moment(line.created_at),
        )
        for line in debits.order_by("-created_at", "-id")[:LINES_SHOWN]
    ]
    return Panel("What is held of it", _HELD_COLUMNS, rows)


def _line_cells(line: BookLine) -> Sequence[object]:
    after = line.balance_after or 0
    return (
        f"{line.seq:,}",
        moment(line.completed_at),
        identifier(line.id, url=screen_url("transactions.transaction", line.id)),
        line.type.replace("_", " ").capitalize(),
        amount_cell(after - line.amount, line.currency),
        amount_cell(line.amount, line.currency, with_sign=True),
        amount_cell(after, line.currency),
    )
