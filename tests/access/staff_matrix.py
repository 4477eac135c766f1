"""Every page and action of the back office: which permissions open it, any one of them. A route that isn't here fails."""

from backoffice.staff_pages import STAFF

PAGES: dict[str, tuple[str, ...]] = {
    "home": (STAFF,),
    "search": (STAFF,),
    "test-clock": ("settings:manage",),
    "time-zone": (STAFF,),
    "adjustments": ("adjustment:request", "adjustment:decide", "audit:read"),
    "adjustments-decide": ("adjustment:decide",),
    "adjustment": ("adjustment:request", "adjustment:decide", "audit:read"),
    "adjustment-approve": ("adjustment:decide",),
    "adjustment-reject": ("adjustment:decide",),
    "adjustment-ask": ("adjustment:request",),
    "transactions": ("transaction:read",),
    "transactions-file": ("report:read",),
    "transfers": ("transaction:read",),
    "transfers-file": ("report:read",),
    "refunds": ("refund:read",),
    "refunds-decide": ("refund:decide",),
    "refund": ("refund:read",),
    "refund-approve": ("refund:decide",),
    "refund-reject": ("refund:decide",),
}
