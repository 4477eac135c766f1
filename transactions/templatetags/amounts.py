"""How templates write amounts."""

from django import template

from transactions.amount_cells import grouped

register = template.Library()


@register.filter
def money(amount: int, currency: str) -> str:
    """Write minor units of a currency as people read them: `1,284.50 USD`."""
    return f"{grouped(amount, currency)} {currency}"


@register.filter
def size(amount: int) -> int:
    """Drop the sign."""
    return abs(amount)
