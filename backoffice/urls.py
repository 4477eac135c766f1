"""The pages outside the admin."""

from django.urls import path

from backoffice.demo_page import demo_page
from backoffice.front_page import front_page

urlpatterns = [
    path("", front_page, name="front-page"),
    path("demo/", demo_page, name="demo"),
    path("demo", demo_page),
]
