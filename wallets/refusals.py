"""What wallets refuse, with the codes that client apps rely on."""

from transactions.refusals import Refusal


class WalletSuspended(Refusal):
    """The wallet is suspended: only what was under way still posts."""

    code = "wallet_suspended"
    default_detail = "The wallet is suspended."


class WalletClosed(Refusal):
    """The wallet is closed for good."""

    code = "wallet_closed"
    default_detail = "The wallet is closed."


class WalletNotEmpty(Refusal):
    """Only an empty wallet with nothing pending can be closed."""

    code = "wallet_not_empty"
    default_detail = "The wallet has a balance, an open hold or something pending."


class WalletExists(Refusal):
    """The customer has an open wallet in this currency already."""

    code = "wallet_exists"
    default_detail = "There is an open wallet in this currency already."


class SameWallet(Refusal):
    """Source and target are the same wallet."""

    code = "same_wallet"
    default_detail = "A transfer needs two different wallets."


class TargetUnavailable(Refusal):
    """The target exists but can't receive: suspended, closed, full, or of another currency."""

    code = "target_unavailable"
    default_detail = "The receiving wallet can not take this transfer."


class BatchRefused(Refusal):
    """An atomic batch has items that can't be made, so that none was; `refused` are (index, code) pairs."""

    code = "batch_refused"
    default_detail = "No transfer of the batch was made, since some of them are refused."

    def __init__(self, refused: list[tuple[int, str]]) -> None:
        super().__init__()
        self.refused = refused
        self.errors = [
            {"field": f"transfers.{index}", "code": code, "detail": "This transfer is refused."}
            for index, code in refused
        ]


class AdjustmentNotPending(Refusal):
    """The adjustment has been decided on."""

    code = "adjustment_not_pending"
    default_detail = "The adjustment is not pending."
