"""What tokens and vaults refuse; the codes are promises to client applications."""

from transactions.refusals import Refusal


class TokenDeleted(Refusal):
    """The token existed and was deleted."""

    code = "token_deleted"
    default_detail = "This token has been deleted."


class VaultFailed(Refusal):
    """The vault answered with a failure of its own; no card was charged."""

    code = "provider_error"
    default_detail = "The vault could not do it. No card was charged."


class VaultUnavailable(VaultFailed):
    """The vault can't be reached, or asks to come back later."""

    code = "unavailable"
    default_detail = "The vault is not available. Try again with the same key."


class VaultTimeout(VaultFailed):
    """The vault didn't answer in time; whether it stored the card is unknown, and nothing was charged."""

    code = "provider_timeout"
    default_detail = "The vault did not answer in time. Try again with the same key."
