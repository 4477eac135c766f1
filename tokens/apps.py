from django.apps import AppConfig


class TokensConfig(AppConfig):
    name = "tokens"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Stop the boot when `TOKEN_VAULT` names no vault."""
        from tokens.vaults.registry import vault_in_use

        vault_in_use()
