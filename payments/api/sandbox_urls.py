"""The paths of the sandbox's phones and of its clock, below `/sandbox/`; outside of sandbox mode there are none."""

from django.urls import path

from payments.api.sandbox_clock import ClockViewSet
from payments.api.sandbox_viewsets import DeviceViewSet

urlpatterns = [
    path("clock", ClockViewSet.as_view({"get": "retrieve", "post": "move"}), name="sandbox-clock"),
    path("devices/apple-pay", DeviceViewSet.as_view({"post": "apple_pay"}), name="sandbox-apple-pay"),
    path("devices/google-pay", DeviceViewSet.as_view({"post": "google_pay"}), name="sandbox-google-pay"),
]
