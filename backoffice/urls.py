"""The first page, and staff's pages; each of these is guarded by `staff_page`. Django's own screens stand beside them."""

from django.conf import settings
from django.urls import URLPattern, include, path

from backoffice.demo_page import demo_page
from backoffice.front_page import front_page
from backoffice.views import adjustments, explorer, refunds
from backoffice.views.home import home
from backoffice.views.search import search
from backoffice.views.test_clock import test_clock
from backoffice.views.time_zone import time_zone

STAFF_PAGES: list[URLPattern] = [
    path("", home, name="home"),
    path("search/", search, name="search"),
    path("time-zone/", time_zone, name="time-zone"),
    *([path("test-clock/", test_clock, name="test-clock")] if settings.SANDBOX else []),
    path("adjustments/", adjustments.adjustments, name="adjustments"),
    path("adjustments/decide/", adjustments.decide_on_many, name="adjustments-decide"),
    path("adjustments/<uuid:adjustment_id>/", adjustments.adjustment, name="adjustment"),
    path("adjustments/<uuid:adjustment_id>/approve/", adjustments.approve, name="adjustment-approve"),
    path("adjustments/<uuid:adjustment_id>/reject/", adjustments.reject, name="adjustment-reject"),
    path("adjustments/of/<uuid:wallet_id>/", adjustments.ask_for, name="adjustment-ask"),
    path("transactions/", explorer.transactions, name="transactions"),
    path("transactions/file/", explorer.transactions_file, name="transactions-file"),
    path("transfers/", explorer.transfers, name="transfers"),
    path("transfers/file/", explorer.transfers_file, name="transfers-file"),
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
    path("admin/", include((STAFF_PAGES, "backoffice"))),
]
