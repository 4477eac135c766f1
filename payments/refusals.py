"""What payments refuse beyond wallets and tokens, with the codes that client apps rely on.

The three failures of a processor are raised only where nothing can have been charged.
"""

from transactions.refusals import Refusal


class ProcessorFailed(Refusal):
    """The processor answered with a failure of its own before it could charge."""

    code = "provider_error"
    default_detail = "The payment provider failed. Nothing was charged."


class ProcessorUnavailable(ProcessorFailed):
    """The processor can't be reached, or asks to come back later."""

    code = "unavailable"
    default_detail = "The payment provider can not be reached. Nothing was charged."


class ProcessorTimeout(ProcessorFailed):
    """The processor took too long to take the request; it never received all of it."""

    code = "provider_timeout"
    default_detail = "The payment provider did not answer in time. Nothing was charged."
