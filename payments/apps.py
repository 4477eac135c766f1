from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Stop the boot when `PAYMENT_PROCESSOR` names no processor."""
        from payments.processors.registry import processor_in_use

        processor_in_use()
