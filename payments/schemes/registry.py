"""Finds a scheme by name: `apple_pay` is `payments.schemes.apple_pay`."""

from django.utils.module_loading import import_string

from payments.schemes.contract import Scheme

APPLE_PAY = "apple_pay"
GOOGLE_PAY = "google_pay"
SCHEMES = (APPLE_PAY, GOOGLE_PAY)


def scheme_of(name: str) -> Scheme:
    """Give the scheme with this name. Raises LookupError for a name that isn't in `SCHEMES`."""
    if name not in SCHEMES:
        raise LookupError(f"There is no scheme {name!r}.")
    scheme: Scheme = import_string(f"payments.schemes.{name}.scheme")()
    return scheme
