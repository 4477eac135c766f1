"""Who the staff are, by id, for pages that name them on every row."""

import time
from collections.abc import Mapping

from users.models import User
from users.roles import STAFF_ROLES

READ_AGAIN_AFTER_S = 30.0

_names: Mapping[str, tuple[str, str]] = {}
_read_at_s = float("-inf")


def colleague_names() -> Mapping[str, tuple[str, str]]:
    """Give address and name of each of the staff by id, as they were at most `READ_AGAIN_AFTER_S` seconds ago."""
    global _names, _read_at_s
    if time.monotonic() > _read_at_s + READ_AGAIN_AFTER_S:
        staff = User.objects.filter(role__in=STAFF_ROLES).order_by()
        _names = {str(key): (email, name) for key, email, name in staff.values_list("id", "email", "name")}
        _read_at_s = time.monotonic()
    return _names
