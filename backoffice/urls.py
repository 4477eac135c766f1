"""The pages outside the admin."""

from django.urls import path

from backoffice.front_page import front_page

urlpatterns = [path("", front_page, name="front-page")]
