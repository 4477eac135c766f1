"""Why a rule didn't charge, or charges no more, in words."""

from collections.abc import Mapping
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from payments import top_up_outcomes, top_up_rules
from transactions.refusals import LimitExceeded

REASONS: Final[Mapping[str, str | Promise]] = {
    top_up_outcomes.MISSED: _("The day was missed, and a later one is made up for"),
    top_up_outcomes.SUSPENDED: _("The wallet is frozen"),
    top_up_outcomes.MONTHLY_LIMIT: _("The rule’s limit of the month is used up"),
    top_up_outcomes.DAILY_CAP: _("Charged as often as a day allows"),
    LimitExceeded.code: _("The wallet is as full as it may be"),
    top_up_rules.CARD_REMOVED: _("The customer took the card off the wallet"),
    top_up_rules.CARD_DECLINED: _("The card was declined too often, or for good"),
    top_up_rules.TOKEN_DELETED: _("The card was deleted"),
    top_up_rules.WALLET_CLOSED: _("The wallet is closed"),
    top_up_rules.CUSTOMER_DEACTIVATED: _("The customer is switched off"),
    top_up_rules.SWITCHED_OFF_BY_STAFF: _("Switched off by staff"),
}
