"""Alerts and dashboards: they ask for metrics that exist, and each alert says what to do."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.metrics_core import CounterMetricFamily

from config.gateway.figures import FIGURES

ROOT = Path(__file__).parents[2]
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"][
    0
]["rules"]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
REQUESTS = {
    "django_http_responses_total_by_status_view_method_total",
    "django_http_requests_latency_seconds_by_view_method_bucket",
}
ASKED = re.compile(r"\b(?:open_wallet|django)_\w+")


STANDING = re.compile(r'"(open_wallet_\w+)"')


def offered() -> set[str]:
    figures = {figure.name + ("_total" if figure.kind is CounterMetricFamily else "") for figure in FIGURES}
    elsewhere = {
        name
        for path in ("config/gateway/standing_figures.py", "deploy/backup/status.py")
        for name in STANDING.findall((ROOT / path).read_text())
    }
    return figures | elsewhere | REQUESTS | {"open_wallet_figures_up", "open_wallet_provider_circuit_open"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_when_an_alert_fires_then_it_names_a_page_that_quotes_it(rule: dict[str, Any]) -> None:
    page = (ROOT / rule["annotations"]["runbook"]).read_text()

    assert page.startswith(f"# {rule['alert']}\n")
    assert f"`{rule['expr']}`" in page
    assert "**What to do.**" in page
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(ASKED.findall(rule["expr"])) <= offered()


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_when_a_dashboard_asks_then_the_metrics_exist(path: Path) -> None:
    dashboard = json.loads(path.read_text())
    asked = {
        name
        for panel in dashboard["panels"]
        for target in panel["targets"]
        for name in ASKED.findall(target["expr"])
    }

    assert dashboard["uid"] == f"open-wallet-{path.stem}"
    assert asked != set()
    assert asked <= offered()


def test_when_alerts_are_counted_then_each_has_fired_in_a_test_and_has_kept_still_in_one() -> None:
    """`make check-deploy` has promtool run them."""
    told = [
        case
        for test in yaml.safe_load((ROOT / "deploy/prometheus/alerts_test.yaml").read_text())["tests"]
        for case in test["alert_rule_test"]
    ]

    assert {case["alertname"] for case in told if case["exp_alerts"]} == {rule["alert"] for rule in RULES}
    assert {case["alertname"] for case in told if not case["exp_alerts"]} == {rule["alert"] for rule in RULES}


def test_when_runbooks_are_counted_then_each_belongs_to_an_alert() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md") if path.stem[0].isupper()}

    assert pages == {rule["alert"] for rule in RULES}


def test_when_logs_are_sent_on_then_what_is_sent_comes_from_our_pods_and_no_secret_stands_in_the_file() -> (
    None
):
    collector = yaml.safe_load((ROOT / "deploy/logs/vector.yaml").read_text())
    labels = yaml.safe_load((ROOT / "deploy/kubernetes/base/web.yaml").read_text().split("---")[0])[
        "metadata"
    ]["labels"]

    [(source, read)] = collector["sources"].items()
    name, _, wanted = read["extra_label_selector"].partition("=")
    assert labels[name] == wanted
    [(transform, parsed)] = collector["transforms"].items()
    assert parsed["inputs"] == [source]
    assert {sink: found["type"] for sink, found in collector["sinks"].items()} == {
        "elasticsearch": "elasticsearch",
        "splunk": "splunk_hec_logs",
    }
    for sink in collector["sinks"].values():
        assert sink["inputs"] == [transform]
        assert sink["buffer"]["when_full"] == "block"
    secrets = [
        collector["sinks"]["elasticsearch"]["auth"]["password"],
        collector["sinks"]["splunk"]["default_token"],
    ]
    assert all(re.fullmatch(r"\$\{[A-Z_]+\}", secret) for secret in secrets)
