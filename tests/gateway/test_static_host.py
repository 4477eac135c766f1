"""Styles and scripts have their hash in their name and are kept for ever, here or by a CDN in front."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client, override_settings

from tests.gateway.test_security_headers import PAGE_POLICY, policy

CDN = "https://cdn.example.com"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that production serves from."""
    folder = tmp_path_factory.mktemp("static")
    with override_settings(**served_from(folder)):
        call_command("collectstatic", interactive=False, verbosity=0)
    return folder


def served_from(folder: Path, host: str = "") -> dict[str, Any]:
    return {
        "STATIC_HOST": host,
        "STATIC_URL": f"{host}/static/",
        "STATIC_ROOT": folder,
        "STORAGES": {
            "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
            "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
        },
        "WHITENOISE_USE_FINDERS": False,
        "WHITENOISE_AUTOREFRESH": False,
        "WHITENOISE_ALLOW_ALL_ORIGINS": bool(host),
    }


@pytest.fixture
def served(settings: Any, collected: Path, request: pytest.FixtureRequest) -> Client:
    for name, value in served_from(collected, getattr(request, "param", "")).items():
        setattr(settings, name, value)
    return Client()


def sheets(page: str) -> list[str]:
    return re.findall(r'(?:href|src)="([^"]*/static/[^"]+\.(?:css|js))"', page)


@pytest.mark.parametrize("served", ["", CDN], indirect=True, ids=["here", "cdn"])
def test_when_a_page_names_an_asset_then_it_is_hashed_and_kept_for_ever(
    served: Client, db: None, settings: Any
) -> None:
    named = sheets(served.get("/admin/login/").content.decode())

    assert named
    for url in named:
        assert url.startswith(f"{settings.STATIC_HOST}/static/")
        assert re.search(r"\.[0-9a-f]{12}\.(?:css|js)$", url)
        asset = served.get(url.removeprefix(settings.STATIC_HOST), headers={"Accept-Encoding": "gzip"})
        asset.close()
        assert asset.status_code == 200
        assert asset["Cache-Control"] == "max-age=315360000, public, immutable"
        assert asset["Content-Encoding"] == "gzip"


def test_given_no_host_then_assets_are_this_host_s_alone(served: Client, db: None) -> None:
    page = served.get("/admin/login/")
    asset = served.get(sheets(page.content.decode())[0])
    asset.close()

    assert policy(page["Content-Security-Policy"]) == PAGE_POLICY
    assert asset["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in asset


@pytest.mark.parametrize("served", [CDN], indirect=True)
@pytest.mark.parametrize("path", ["/admin/login/", "/demo/"])
def test_given_a_host_then_pages_may_load_from_it_what_it_may_be_asked_for(
    served: Client, db: None, path: str
) -> None:
    page = served.get(path)
    asset = served.get(sheets(page.content.decode())[0].removeprefix(CDN))
    asset.close()

    found = policy(page["Content-Security-Policy"])
    assert {
        name: found[name] for name in ("script-src", "style-src", "img-src", "font-src")
    } == dict.fromkeys(("script-src", "style-src", "img-src", "font-src"), f"'self' {CDN}")
    assert (found["connect-src"], found["form-action"]) == ("'self'", "'self'")
    assert asset["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert asset["Access-Control-Allow-Origin"] == "*"
    assert page["Cross-Origin-Resource-Policy"] == "same-origin"
