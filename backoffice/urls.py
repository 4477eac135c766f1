"""The first page, and staff's pages; each of these is guarded by `staff_page`. Django's own screens stand beside them."""

from django.conf import settings
from django.urls import URLPattern, include, path

from backoffice.demo_page import demo_page
from backoffice.explorers.registry import EXPLORERS
from backoffice.front_page import front_page
from backoffice.views import (
    account,
    adjustments,
    annotations,
    customers,
    explanations,
    holds,
    kept_lists,
    payments,
    refunds,
    reports,
    second_factor,
    settlements,
    staff,
    top_ups,
    wallets,
)
from backoffice.views.explorer import routes_of
from backoffice.views.home import home
from backoffice.views.invitation import invitation
from backoffice.views.search import search
from backoffice.views.test_clock import test_clock
from backoffice.views.time_zone import time_zone

STAFF_PAGES: list[URLPattern] = [
    path("", home, name="home"),
    path("search/", search, name="search"),
    path("account/second-factor/", second_factor.factor, name="factor"),
    path("account/second-factor/begin/", second_factor.begin, name="factor-begin"),
    path("account/second-factor/confirm/", second_factor.confirm, name="factor-confirm"),
    path("account/second-factor/codes/", second_factor.renew_codes, name="factor-codes"),
    path("account/second-factor/show/", second_factor.show, name="factor-show"),
    path("account/", account.account, name="account"),
    path("account/password/", account.password, name="account-password"),
    path("account/sessions/end/", account.end_other_sessions, name="account-sessions-end"),
    path("account/sessions/<uuid:session_id>/end/", account.end_session, name="account-session-end"),
    path("time-zone/", time_zone, name="time-zone"),
    path("staff/", staff.staff, name="staff"),
    path("staff/invite/", staff.invite, name="staff-invite"),
    path("staff/addresses/unlock/", staff.unlock_address, name="staff-unlock-address"),
    path("staff/<uuid:staff_id>/", staff.member, name="staff-member"),
    path("staff/<uuid:staff_id>/invite-again/", staff.invite_again, name="staff-invite-again"),
    path("staff/<uuid:staff_id>/role/", staff.change_role, name="staff-role"),
    path("staff/<uuid:staff_id>/deactivate/", staff.deactivate, name="staff-deactivate"),
    path("staff/<uuid:staff_id>/reactivate/", staff.reactivate, name="staff-reactivate"),
    path("staff/<uuid:staff_id>/reset-factor/", staff.reset_factor, name="staff-reset-factor"),
    path("staff/<uuid:staff_id>/unlock/", staff.unlock, name="staff-unlock"),
    path("staff/<uuid:staff_id>/sign-out/", staff.sign_out, name="staff-sign-out"),
    path(
        "staff/<uuid:staff_id>/sessions/<uuid:session_id>/end/", staff.end_session, name="staff-session-end"
    ),
    path("customers/", customers.customers, name="customers"),
    path("customers/<uuid:user_id>/", customers.customer, name="customer"),
    path("customers/<uuid:user_id>/reveal/", customers.customer_reveal, name="customer-reveal"),
    path("customers/<uuid:user_id>/deactivate/", customers.customer_deactivate, name="customer-deactivate"),
    path("customers/<uuid:user_id>/reactivate/", customers.customer_reactivate, name="customer-reactivate"),
    path("customers/<uuid:user_id>/sign-out/", customers.customer_sign_out, name="customer-sign-out"),
    path("customers/<uuid:user_id>/correct/", customers.customer_correct, name="customer-correct"),
    path("wallets/", wallets.wallets, name="wallets"),
    path("wallets/<uuid:wallet_id>/", wallets.wallet, name="wallet"),
    path("wallets/<uuid:wallet_id>/explain/", explanations.explained_balance, name="wallet-explained"),
    path("wallets/<uuid:wallet_id>/freeze/", wallets.wallet_freeze, name="wallet-freeze"),
    path("wallets/<uuid:wallet_id>/unfreeze/", wallets.wallet_unfreeze, name="wallet-unfreeze"),
    path("wallets/<uuid:wallet_id>/statement/", wallets.wallet_statement, name="wallet-statement"),
    path("about/<str:object_type>/<uuid:object_id>/note/", annotations.note, name="note"),
    path("about/<str:object_type>/<uuid:object_id>/tag/", annotations.tag, name="tag"),
    path("about/<str:object_type>/<uuid:object_id>/untag/", annotations.untag, name="untag"),
    *([path("test-clock/", test_clock, name="test-clock")] if settings.SANDBOX else []),
    path("adjustments/", adjustments.adjustments, name="adjustments"),
    path("adjustments/decide/", adjustments.decide_on_many, name="adjustments-decide"),
    path("adjustments/<uuid:adjustment_id>/", adjustments.adjustment, name="adjustment"),
    path("adjustments/<uuid:adjustment_id>/approve/", adjustments.approve, name="adjustment-approve"),
    path("adjustments/<uuid:adjustment_id>/reject/", adjustments.reject, name="adjustment-reject"),
    path("adjustments/of/<uuid:wallet_id>/", adjustments.ask_for, name="adjustment-ask"),
    *(route for explorer in EXPLORERS.values() for route in routes_of(explorer)),
    path("holds/<uuid:hold_id>/", holds.hold, name="hold"),
    path("holds/<uuid:hold_id>/void/", holds.hold_void, name="hold-void"),
    path("top-up-rules/<uuid:wallet_id>/", top_ups.top_up_rule, name="autotopup"),
    path("top-up-rules/<uuid:wallet_id>/pause/", top_ups.top_up_rule_pause, name="autotopup-pause"),
    path(
        "top-up-rules/<uuid:wallet_id>/switch-off/",
        top_ups.top_up_rule_switch_off,
        name="autotopup-switch-off",
    ),
    path("payments/<uuid:payment_id>/", payments.payment, name="payment"),
    path("payments/<uuid:payment_id>/ask/", payments.payment_ask, name="payment-ask"),
    path("provider-events/<uuid:event_id>/", payments.provider_event, name="providerevent"),
    path("provider-events/<uuid:event_id>/retry/", payments.provider_event_retry, name="providerevent-retry"),
    path("views/<str:explorer>/keep/", kept_lists.keep, name="view-keep"),
    path("views/<uuid:view_id>/forget/", kept_lists.forget, name="view-forget"),
    path("files/", kept_lists.files, name="files"),
    path("files/<uuid:export_id>/", kept_lists.file, name="file"),
    path("files/of/<str:explorer>/", kept_lists.ask_for_file, name="file-ask"),
    path("dashboard/", reports.dashboard, name="dashboard"),
    path("reconciliation/", reports.reconciliation, name="reconciliation"),
    path("reconciliation/imports/", settlements.imports, name="settlement-imports"),
    path("reconciliation/imports/new/", settlements.import_one, name="settlement-import-new"),
    path("reconciliation/imports/<uuid:import_id>/", settlements.one_import, name="settlement-import"),
    path("reconciliation/breaks/", settlements.breaks, name="settlement-breaks"),
    path("reconciliation/breaks/<uuid:break_id>/", settlements.one_break, name="settlement-break"),
    path(
        "reconciliation/breaks/<uuid:break_id>/propose/", settlements.propose, name="settlement-break-propose"
    ),
    path(
        "reconciliation/breaks/<uuid:break_id>/resolve/", settlements.resolve, name="settlement-break-resolve"
    ),
    path(
        "reconciliation/breaks/<uuid:break_id>/send-back/",
        settlements.open_again,
        name="settlement-break-send-back",
    ),
    path("refunds/", refunds.refunds, name="refunds"),
    path("refunds/decide/", refunds.decide_on_many, name="refunds-decide"),
    path("refunds/<uuid:refund_id>/", refunds.refund, name="refund"),
    path("refunds/<uuid:refund_id>/approve/", refunds.approve, name="refund-approve"),
    path("refunds/<uuid:refund_id>/reject/", refunds.reject, name="refund-reject"),
]

urlpatterns = [
    path("", front_page, name="front-page"),
    path("demo/", demo_page, name="demo"),
    path("demo", demo_page),
    path("admin/invitation/<str:token>/", invitation, name="invitation"),
    path("admin/", include((STAFF_PAGES, "backoffice"))),
]
