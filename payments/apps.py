from typing import Any

from django.apps import AppConfig

from events.signals import wallet_balance_changed


class PaymentsConfig(AppConfig):
    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Stop the boot when `PAYMENT_PROCESSOR` names no processor; hear of every balance that changes.

        And tell how failed work is tried again.
        """
        from events.failed_work import WorkKind, kinds
        from payments import reconciliation, refund_execution, webhooks
        from payments.processors.registry import processor_in_use

        processor_in_use()
        kinds[reconciliation.KIND] = WorkKind("payments.reconcile_payment", reconciliation.make_due)
        kinds[webhooks.KIND] = WorkKind("payments.handle_provider_event", webhooks.make_due)
        kinds[refund_execution.KIND] = WorkKind("payments.execute_refund", refund_execution.make_due)
        wallet_balance_changed.connect(ring_for_low_wallets, dispatch_uid="payments.auto_topups")


def ring_for_low_wallets(*, accounts: list[Any], **_signal: Any) -> None:
    """Ring for the wallets that a committed debit has left with too little; accounts that were locked are wallets."""
    from events.doorbells import ring
    from payments.tasks import TOP_UP_BELL
    from wallets.locks import LockedWallet

    for account in accounts:
        if isinstance(account, LockedWallet) and account.is_low:
            ring(TOP_UP_BELL, str(account.id))
