"""The one signal: a wallet's balance has changed. Sent after commit; who listens decides nothing about money."""

from django.dispatch import Signal

wallet_balance_changed = Signal()
"""Sent with `accounts`: the ledger accounts as they stand after the commit."""
