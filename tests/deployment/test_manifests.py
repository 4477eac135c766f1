"""Compose and Kubernetes: what their schemas can't know of us."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from config.environment import Environment
from config.schedule import QUEUES
from deploy.backup.__main__ import COMMANDS
from deploy.backup.settings import SLOT

ROOT = Path(__file__).parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
VARIABLES = {name.upper() for name in Environment.__dataclass_fields__}


def objects() -> list[dict[str, Any]]:
    return [
        document
        for path in sorted(KUBERNETES.rglob("*.yaml"))
        if path.name != "kustomization.yaml"
        for document in yaml.safe_load_all(path.read_text())
    ]


def pods() -> list[tuple[str, dict[str, Any]]]:
    found = []
    for each in objects():
        spec = each.get("spec", {})
        spec = spec.get("jobTemplate", {}).get("spec", spec)
        if "template" in spec:
            found.append((each["metadata"]["name"], spec["template"]["spec"]))
    return found


def services() -> dict[str, dict[str, Any]]:
    kept: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    return kept


@pytest.mark.parametrize(("name", "pod"), pods(), ids=lambda value: value if isinstance(value, str) else "")
def test_when_a_pod_runs_then_it_may_do_nothing_that_it_needs_not(name: str, pod: dict[str, Any]) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]) == {"requests", "limits"}


def test_when_kubernetes_configures_then_every_variable_is_one_that_is_read() -> None:
    given = {
        name
        for each in objects()
        if each["metadata"]["name"].startswith("open-wallet") and each["kind"] in ("ConfigMap", "Secret")
        for name in {**each.get("data", {}), **each.get("stringData", {})}
    }

    assert given - VARIABLES == set()
    assert {"DATABASE_URL", "SECRET_KEY", "ALLOWED_HOSTS"} <= given


def test_when_kubernetes_configures_then_the_owners_url_reaches_the_migration_and_the_worker_alone() -> None:
    owners = {
        name
        for name, pod in pods()
        for container in pod["containers"]
        if {"secretRef": {"name": "open-wallet-owner"}} in container["envFrom"]
    }

    assert owners == {"migrate", "worker"}


def test_when_the_overlay_is_composed_then_it_names_every_file_of_the_base() -> None:
    named = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text())["resources"]

    assert sorted(named) == sorted(
        path.name for path in (KUBERNETES / "base").glob("*.yaml") if path.name != "kustomization.yaml"
    )


def test_when_the_database_is_composed_then_every_file_is_named() -> None:
    named = yaml.safe_load((KUBERNETES / "database" / "kustomization.yaml").read_text())

    files = {path.name for path in (KUBERNETES / "database").iterdir()}
    assert files == {*named["resources"], *named["configMapGenerator"][0]["files"], "kustomization.yaml"}


def test_when_backups_are_scheduled_then_each_is_a_command_that_there_is_and_none_is_missing() -> None:
    jobs = {each["metadata"]["name"]: each for each in objects() if each["kind"] == "CronJob"}
    commands = {
        name: pod["containers"][0]["args"][0]
        for name, pod in pods()
        if pod["containers"][0]["name"] == "backup"
    }

    assert commands == {f"backup-{name}": name for name in ("full", "incremental", "prune", "verify")}
    assert set(commands.values()) | {"receive", "restore"} == set(COMMANDS)
    assert jobs["backup-full"]["spec"]["schedule"].endswith("* * *")
    assert jobs["backup-incremental"]["spec"]["schedule"] == "5 * * * *"
    assert {jobs[name]["spec"]["concurrencyPolicy"] for name in commands} == {"Forbid"}


def test_when_a_zone_is_lost_then_no_part_is_lost_with_it() -> None:
    spread = {
        name: pod.get("topologySpreadConstraints", [{}])[0].get("topologyKey")
        for name, pod in pods()
        if name in ("web", "worker")
    }
    database = dict(pods())["postgres"]["affinity"]["podAntiAffinity"]
    budgets = {each["metadata"]["name"] for each in objects() if each["kind"] == "PodDisruptionBudget"}

    assert spread == {"web": "topology.kubernetes.io/zone", "worker": "topology.kubernetes.io/zone"}
    [rule] = database["requiredDuringSchedulingIgnoredDuringExecution"]
    assert rule["topologyKey"] == "topology.kubernetes.io/zone"
    assert budgets == {"web", "worker", "postgres"}


def test_when_patroni_fails_over_then_only_to_what_was_synchronous() -> None:
    leader = yaml.safe_load((KUBERNETES / "database" / "patroni.yml").read_text())["bootstrap"]["dcs"]

    assert leader["synchronous_mode"] is True
    assert leader["synchronous_mode_strict"] is True
    assert leader["ttl"] >= leader["loop_wait"] + 2 * leader["retry_timeout"]
    assert leader["postgresql"]["parameters"]["summarize_wal"] == "on"
    assert set(leader["slots"]) == {SLOT, "second_region"}


def test_when_a_second_region_follows_then_its_members_differ_in_nothing_else() -> None:
    first, second = (
        yaml.safe_load((KUBERNETES / folder / "patroni.yml").read_text())
        for folder in ("database", "standby-region")
    )
    follows = second["bootstrap"]["dcs"].pop("standby_cluster")

    assert second == first
    assert follows["primary_slot_name"] in first["bootstrap"]["dcs"]["slots"]


def test_when_compose_configures_then_every_variable_is_one_that_is_read() -> None:
    ours = [service for service in services().values() if service["image"].startswith("${OPEN_WALLET_IMAGE")]

    assert len(ours) == 5
    for service in ours:
        assert set(service["environment"]) - VARIABLES == set()
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]


def test_when_a_worker_is_started_then_it_takes_from_every_queue() -> None:
    kubernetes = dict(pods())["worker"]["containers"][0]["args"]

    assert set(services()["worker"]["command"][5].split(",")) == set(QUEUES)
    assert set(kubernetes[kubernetes.index("--queues") + 1].split(",")) == set(QUEUES)


def test_when_tools_stay_inside_then_database_and_broker_publish_no_port() -> None:
    published = {name for name, service in services().items() if "ports" in service}

    assert published == {"web", "grafana"}
    for name in published:
        assert all(port.startswith("127.0.0.1:") for port in services()[name]["ports"])
