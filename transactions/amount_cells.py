"""How an amount looks on a screen: thousands apart, the digits of its currency, the currency beside it."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from transactions.models import Transfer
from transactions.money import EXPONENTS


def grouped(amount: int, currency: str) -> str:
    """Write minor units as major ones with thousands separators: `-1,284.50`, with a true minus sign."""
    exponent = EXPONENTS[currency]
    whole, fraction = divmod(abs(amount), 10**exponent)
    digits = f"{whole:,}" + (f".{fraction:0{exponent}}" if exponent else "")
    return f"−{digits}" if amount < 0 else digits


def amount_cell(amount: int, currency: str, *, with_sign: bool = False) -> SafeString:
    """Show minor units of a currency; `with_sign` marks money in with a plus."""
    plus = "+" if with_sign and amount > 0 else ""
    return format_html(
        '<span class="amount{}">{}{}&nbsp;<span class="currency">{}</span></span>',
        (" amount-in" if amount > 0 else " amount-out") if with_sign else "",
        plus,
        grouped(amount, currency),
        currency,
    )


def sums_moved(transfer: Transfer) -> dict[str, int]:
    """Tell how much a transfer moves: the sum of what it adds, in minor units for each currency."""
    sums: dict[str, int] = {}
    for line in transfer.lines.all():
        if line.amount > 0:
            sums[line.account.currency] = sums.get(line.account.currency, 0) + line.amount
    return sums


def amounts_moved(transfer: Transfer) -> SafeString:
    """Show how much a transfer moves."""
    sums = sums_moved(transfer)
    return format_html_join(" ", "{}", ((amount_cell(amount, code),) for code, amount in sums.items()))
