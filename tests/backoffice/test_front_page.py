"""The first page leads people and programs to everything else."""

import re

import pytest
from django.conf import settings
from django.test import Client


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("*/*", "text/html"),
        ("application/json", "application/json"),
        ("application/json;q=0.9, text/html;q=0.2", "application/json"),
        ("application/json;q=0.2, text/html;q=0.9", "text/html"),
    ],
)
def test_when_the_first_page_is_asked_for_then_the_preferred_form_is_answered(
    accept: str, content_type: str
) -> None:
    answer = Client().get("/", headers={"accept": accept})

    assert answer.status_code == 200
    assert answer["Content-Type"].split(";")[0] == content_type
    assert "Accept" in answer["Vary"].split(", ")


def test_when_a_program_asks_then_it_is_given_the_links() -> None:
    answer = Client().get("/", headers={"accept": "application/json"}).json()

    assert (answer["name"], answer["mode"]) == ("Open Wallet", "sandbox")
    assert answer["links"] == {
        name: f"{settings.PUBLIC_URL}{path}"
        for name, path in {
            "api": "/api/v1",
            "docs": "/api/docs",
            "schema": "/api/schema",
            "errors": "/docs/errors",
            "back_office": "/admin/",
            "health": "/health",
            "readiness": "/health/ready",
            "metrics": "/metrics",
            "jwks": "/.well-known/jwks.json",
            "demo": "/demo/",
        }.items()
    }


@pytest.mark.django_db
def test_when_a_person_follows_the_links_then_each_leads_somewhere() -> None:
    html = Client().get("/", headers={"accept": "text/html"}).content.decode()
    paths = sorted(set(re.findall(r'<a [^>]*href="(/[^"]*)"', html)))

    answers = {path: Client().get(path, headers={"accept": "*/*"}).status_code for path in paths}

    assert len(paths) == 9
    assert {path: status for path, status in answers.items() if status not in (200, 302)} == {}


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_when_something_is_sent_then_it_is_refused(method: str) -> None:
    assert getattr(Client(), method)("/").status_code == 405
