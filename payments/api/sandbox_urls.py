"""The paths of the sandbox's phones, below `/sandbox/`; outside of sandbox mode there are none."""

from django.urls import path

from payments.api.sandbox_viewsets import DeviceViewSet

urlpatterns = [
    path("devices/apple-pay", DeviceViewSet.as_view({"post": "apple_pay"}), name="sandbox-apple-pay"),
    path("devices/google-pay", DeviceViewSet.as_view({"post": "google_pay"}), name="sandbox-google-pay"),
]
