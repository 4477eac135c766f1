"""Customers and wallets by number: four wallets for each customer, ids that carry the number."""

from uuid import UUID

CURRENCIES = ("USD", "EUR", "GBP", "CHF")
# Letters among the digits, as in real ids: digits alone look like card numbers to the log's redaction.
FIRST_NUMBER = 10_000_000_000
WALLET_PREFIX = "0190a11e-b0bb-7abc-8abc-a"
CUSTOMER_PREFIX = "0190a11e-b0bb-7abc-9abc-a"


def wallet_id(number: int) -> UUID:
    """Tell the id of wallet `number`; its last digits are the number in decimal."""
    return UUID(f"{WALLET_PREFIX}{FIRST_NUMBER + number}")


def customer_id(number: int) -> UUID:
    """Tell the id of customer `number`."""
    return UUID(f"{CUSTOMER_PREFIX}{FIRST_NUMBER + number}")
