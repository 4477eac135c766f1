"""What browsers may do with our answers: next to nothing."""

import pytest
from django.test import Client
from pytest_django import Settings

PAGE_POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}


def policy(header: str) -> dict[str, str]:
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


@pytest.mark.parametrize(
    "path",
    ["/api/v1/echo", "/api/v1/nowhere", "/api/v1/fail/bug", "/health", "/metrics", "/page", "/nowhere", "/docs/errors",
     "/admin/login/", "/static/docs/api.js"],
)  # fmt: skip
def test_when_anything_is_answered_then_it_has_the_headers_of_all(api: Client, db: None, path: str) -> None:
    response = api.get(path)
    response.close()

    headers = response.headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("path", ["/api/v1/echo", "/api/v1/nowhere", "/health", "/metrics", "/api/schema"])
def test_when_data_is_answered_then_its_policy_allows_nothing_at_all(api: Client, path: str) -> None:
    assert api.get(path)["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    "path", ["/page", "/nowhere", "/docs/errors/not_found", "/api/docs", "/admin/login/"]
)
def test_when_a_page_is_answered_then_its_policy_adds_this_host_alone(
    api: Client, db: None, path: str
) -> None:
    assert policy(api.get(path)["Content-Security-Policy"]) == PAGE_POLICY


@pytest.mark.parametrize("path", ["/api/v1/echo", "/api/v1/nowhere", "/page", "/admin/login/", "/health"])
def test_when_an_answer_is_private_then_nobody_keeps_it(api: Client, db: None, path: str) -> None:
    assert "no-store" in api.get(path)["Cache-Control"]


def test_when_tls_is_in_front_then_browsers_are_told_to_stay_with_it(
    planted: None, settings: Settings
) -> None:
    settings.SECURE_HSTS_SECONDS = 31536000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    settings.SECURE_HSTS_PRELOAD = True

    response = Client().get("/api/v1/echo", secure=True)

    assert response["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"


@pytest.fixture
def cross_origin(planted: None, settings: Settings) -> Client:
    settings.CORS_ALLOWED_ORIGINS = ["https://app.example.com"]
    return Client()


def test_when_an_origin_is_allowed_then_it_may_read_our_headers(cross_origin: Client) -> None:
    response = cross_origin.get("/api/v1/echo", headers={"Origin": "https://app.example.com"})

    assert response["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "Access-Control-Allow-Credentials" not in response
    assert "origin" in response["Vary"].lower()
    assert set(response["Access-Control-Expose-Headers"].split(", ")) == {
        "ETag", "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "traceparent", "X-Request-ID",
    }  # fmt: skip


def test_when_an_allowed_origin_asks_first_then_it_is_told_what_it_may_send(cross_origin: Client) -> None:
    response = cross_origin.options(
        "/api/v1/whoami",
        headers={"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"},
    )

    assert response.status_code == 200
    allowed = set(response["Access-Control-Allow-Headers"].split(", "))
    assert {"authorization", "content-type", "idempotency-key", "x-request-id", "traceparent"} <= allowed
    assert "PATCH" in response["Access-Control-Allow-Methods"]


@pytest.mark.parametrize("origin", ["https://evil.example", "http://app.example.com", "null"])
def test_when_an_origin_is_not_allowed_then_it_is_told_nothing(cross_origin: Client, origin: str) -> None:
    response = cross_origin.get("/api/v1/echo", headers={"Origin": origin})

    assert "Access-Control-Allow-Origin" not in response


def test_when_no_origin_is_allowed_then_there_is_no_cors_at_all(api: Client) -> None:
    response = api.options(
        "/api/v1/echo",
        headers={"Origin": "https://app.example.com", "Access-Control-Request-Method": "POST"},
    )

    assert not [name for name in response.headers if name.lower().startswith("access-control")]


def test_when_the_back_office_is_asked_across_origins_then_it_tells_nothing(
    cross_origin: Client, db: None
) -> None:
    response = cross_origin.get("/admin/login/", headers={"Origin": "https://app.example.com"})

    assert "Access-Control-Allow-Origin" not in response
