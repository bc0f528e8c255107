"""What `deploy/` ships is checked by the tools that read it, and uses only what exists."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes_validate import validate

from service.settings import PREFIX, SETTINGS
from tests import machine
from tests.servers import ROOT
from tests.test_operation import documented

DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "barograph.rules.yml"
SUFFIXES = ("_bucket", "_count", "_sum")


def promtool(*args: str, folder: Path = RULES.parent) -> subprocess.CompletedProcess[str]:
    """Prometheus' own tool, which comes with it."""
    path = machine.PROMETHEUS.path()
    if path is None:
        pytest.fail(machine.needs([machine.PROMETHEUS]), pytrace=False)
    tool = str(Path(path).with_name("promtool"))
    return subprocess.run([tool, *args], capture_output=True, text=True, cwd=folder, check=False)


def rules() -> list[dict[str, Any]]:
    """Every alert."""
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def expressions() -> list[str]:
    """Every query of the dashboard, its variables filled in."""
    board = json.loads((DEPLOY / "grafana" / "barograph.dashboard.json").read_text())
    found = [target["expr"] for panel in board["panels"] for target in panel.get("targets", ())]
    return [e.replace("$__rate_interval", "5m").replace("$instance", ".*") for e in found]


def metrics_in(text: str) -> set[str]:
    """The metrics that a query names, without the suffixes of a histogram's series."""
    found = set(re.findall(r"\bbarograph_\w+", text))
    return {next((n.removesuffix(s) for s in SUFFIXES if n.endswith(s)), n) for n in found}


def test_the_alert_rules_are_good_and_fire_when_they_should() -> None:
    for args in (("check", "rules", RULES.name), ("test", "rules", "barograph.test.yml")):
        done = promtool(*args)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_test_a_severity_and_words() -> None:
    tests = (RULES.parent / "barograph.test.yml").read_text()
    for rule in rules():
        assert f"alertname: {rule['alert']}" in tests
        assert f'alertname="{rule["alert"]}"' in tests
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description"}
        assert "caused" not in str(rule["annotations"])


def test_alerts_and_dashboard_name_only_metrics_that_exist() -> None:
    for text in (*expressions(), *(rule["expr"] for rule in rules())):
        assert metrics_in(text) <= set(documented()), text


def test_the_queries_of_the_dashboard_are_queries(tmp_path: Path) -> None:
    found = expressions()
    assert len(found) > 20
    groups = [{"name": "all", "rules": [{"record": f"q:{n}", "expr": e} for n, e in enumerate(found)]}]
    (tmp_path / "queries.yml").write_text(yaml.safe_dump({"groups": groups}))
    done = promtool("check", "rules", "queries.yml", folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_has_no_panel_on_another_and_says_what_each_shows() -> None:
    panels = json.loads((DEPLOY / "grafana" / "barograph.dashboard.json").read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        assert panel["type"] == "row" or panel["description"]
    assert len({panel["id"] for panel in panels}) == len(panels)


def manifests() -> list[Any]:
    """The objects of the Kubernetes manifests."""
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / "barograph.yaml").read_text()))


def test_the_kubernetes_manifests_follow_their_schema() -> None:
    assert len(manifests()) >= 4
    for manifest in manifests():
        validate(manifest, "1.33", strict=True)


def named_settings() -> set[str]:
    """Every setting that a file of `deploy/` gives."""
    files = ("compose/compose.yaml", "kubernetes/barograph.yaml", "systemd/barograph.service")
    text = "\n".join((DEPLOY / name).read_text() for name in files)
    return set(re.findall(rf"\b{PREFIX}[A-Z_]+", text)) - {f"{PREFIX}IMAGE"}


def test_every_setting_that_is_given_exists() -> None:
    known = {f"{PREFIX}{setting.name}" for setting in SETTINGS}
    assert {name.removesuffix("_FILE") for name in named_settings()} <= known


def test_no_secret_stands_in_the_environment() -> None:
    secret = {f"{PREFIX}{setting.name}" for setting in SETTINGS if setting.secret}
    assert not named_settings() & secret, "a secret is given by a file"


def test_containers_may_do_no_more_than_they_need() -> None:
    (pod,) = (m["spec"]["template"]["spec"] for m in manifests() if m["kind"] == "Deployment")
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
    compose = yaml.safe_load((DEPLOY / "compose" / "compose.yaml").read_text())
    for service in compose["services"].values():
        assert set(service["secrets"]) <= set(compose["secrets"])
    assert compose["services"]["barograph"]["read_only"]


def test_the_systemd_unit_is_one(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "barograph.service").read_text()
    assert "ExecStart=/opt/barograph/bin/barograph serve" in text
    tool = machine.SYSTEMD.path()
    assert tool, machine.needs([machine.SYSTEMD])
    unit = tmp_path / "barograph.service"
    unit.write_text(text.replace("/opt/barograph/bin/barograph", "/bin/true"))
    done = subprocess.run([tool, "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, ""), done.stderr
