"""deploy/kubernetes against the schemas of Kubernetes and against what the code says. No cluster is needed."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ordermesh.access.v1 import access_pb2

from chassis.access.settings import OPERATOR
from chassis.config import ConfigError
from chassis.server import DRAIN_SECONDS, GRACE_SECONDS
from chassis.trust.settings import Security
from cli import mesh
from cli.config import CliConfig
from cli.settings import settings
from gateway import contract
from gateway.server import _GRACE_SECONDS
from notify_svc.config import NotifyConfig
from order_svc.__main__ import _FINISH_SECONDS
from tax_svc.config import TaxConfig
from tests.deploy import manifests
from tests.deploy.manifests import KUBERNETES, PARTS, Object
from tests.fakes.notify_signing import SendgridKey

WORKLOADS = [found for found in manifests.objects() if found.pod is not None]
PORTS = {setting.name: setting.default.rpartition(":")[2] for setting in settings() if setting.name.endswith("_ADDR")}
LISTENS = {part: f"{part.upper()}_ADDR" for part in PARTS if part != "gateway"} | {"gateway": "ORDERMESH_GATEWAY_ADDR"}
# Read by the image of PostgreSQL, not by us.
OTHERS = {"POSTGRES_PASSWORD", "PGDATA"}


def label(found: Object) -> str:
    return f"{found.where}:{found.kind}/{found.name}"


def policies() -> Iterator[tuple[str, Any]]:
    for found in manifests.objects("base"):
        if found.kind == "NetworkPolicy" and found.name in PARTS:
            yield found.name, found.body["spec"]


def names(peers: list[Any]) -> set[str]:
    found = {peer.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name") for peer in peers}
    return {name for name in found if name}


def test_every_object_is_what_kubernetes_knows() -> None:
    found = [complaint for each in manifests.objects() for complaint in manifests.complaints(each)]
    assert found == []


def test_a_word_that_kubernetes_does_not_know_is_noticed() -> None:
    found = manifests.deployment("order")
    found.body["spec"]["template"]["spec"]["containers"][0]["securityContext"]["readOnlyRootFileSystem"] = True
    assert any("readOnlyRootFileSystem" in complaint for complaint in manifests.complaints(found))


@pytest.mark.parametrize("overlay", ["development", "production"])
@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl, which puts overlays together, is not installed")
def test_overlays_can_be_put_together(overlay: str) -> None:
    found = manifests.rendered(overlay)
    assert [complaint for each in found for complaint in manifests.complaints(each)] == []
    deployments = {each.name for each in found if each.kind == "Deployment"}
    assert deployments >= set(PARTS)
    replicas = {each.body["spec"]["minReplicas"] for each in found if each.kind == "HorizontalPodAutoscaler"}
    assert replicas == ({3} if overlay == "production" else {1})
    if overlay == "production":
        assert all(each.kind != "Secret" for each in found), "a shop's secrets are no part of it"
        assert [each.body["spec"]["egress"][0]["to"] for each in found if each.name == "database"] != []


@pytest.mark.parametrize("found", WORKLOADS, ids=label)
def test_pods_have_no_rights_that_they_do_not_need(found: Object) -> None:
    pod, container = found.pod, manifests.container(found)
    assert pod is not None
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys() & container["resources"]["limits"].keys()
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()


@pytest.mark.parametrize("found", WORKLOADS, ids=label)
def test_containers_are_given_settings_that_there_are(found: Object) -> None:
    known = {setting.name for setting in settings()} | OTHERS
    container = manifests.container(found)
    assert {entry["name"] for entry in container.get("env", ())} <= known
    if container["image"] == "ordermesh" and found.name != "operator":
        command, *arguments = container["args"]
        assert command in {"serve", "migrate", "audit", "retention"}
        assert all(argument in mesh.NAMES or argument == "--delete" for argument in arguments)


def test_setting_files_name_settings_that_there_are() -> None:
    known = {setting.name for setting in settings()}
    files = sorted(KUBERNETES.rglob("*.env"))
    assert len(files) == 5
    for file in files:
        assert manifests.env_file(file).keys() <= known, file


@pytest.mark.parametrize("part", PARTS)
def test_the_base_is_an_environment_that_the_part_starts_with(part: str, mounted: Path, tmp_path: Path) -> None:
    secrets: dict[str, str] = {}
    for file in (KUBERNETES / "overlays" / "development").glob("*.env"):
        secrets |= manifests.env_file(file)
    secrets |= {f"{name}_DATABASE_URL": "postgresql://u:p@host/name" for name in ("ORDER", "GATEWAY")}
    values = manifests.environment(part, secrets) | {"SANDBOX_ADDR": "sandbox:8090"}
    here = {name: value.replace("/etc/ordermesh", str(mounted)) for name, value in values.items()}
    loaded = mesh.load(part, here | {"ORDERMESH_DATA_DIR": str(tmp_path)})
    assert loaded.address == values[LISTENS[part]]


@pytest.mark.parametrize("part", PARTS)
def test_ports_are_those_of_the_code(part: str) -> None:
    container = manifests.container(manifests.deployment(part))
    ports = {entry["name"]: str(entry["containerPort"]) for entry in container["ports"]}
    values = manifests.environment(part, dict.fromkeys((setting.name for setting in settings()), ""))
    served = ports["http" if part == "gateway" else "grpc"]
    assert served == PORTS[LISTENS[part]] == values[LISTENS[part]].rpartition(":")[2]
    assert ports["metrics"] == values["ORDERMESH_METRICS_ADDR"].rpartition(":")[2]
    if part != "gateway":
        assert ports["health"] == values[f"{part.upper()}_HEALTH_ADDR"].rpartition(":")[2]
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert str(container[probe]["grpc"]["port"]) == ports["health"]


def test_names_by_which_the_parts_call_one_another_are_services_without_an_address_of_their_own() -> None:
    services = {each.name: each.body["spec"] for each in manifests.objects("base") if each.kind == "Service"}
    values = manifests.env_file(KUBERNETES / "base" / "settings.env")
    for part in PARTS[:-1]:
        host, _, port = values[LISTENS[part]].removeprefix("dns:///").partition(":")
        assert services[host]["clusterIP"] == "None"
        assert services[host]["selector"] == {"app.kubernetes.io/name": part}
        assert [str(entry["port"]) for entry in services[host]["ports"]] == [port] == [PORTS[LISTENS[part]]]


@pytest.mark.parametrize("part", PARTS)
def test_pods_are_given_the_time_that_an_orderly_end_takes(part: str) -> None:
    found = manifests.deployment(part)
    assert found.pod is not None
    drain = float(manifests.environment("gateway", {"GATEWAY_DATABASE_URL": ""})["ORDERMESH_GATEWAY_DRAIN_SECONDS"])
    longest = drain + _GRACE_SECONDS if part == "gateway" else DRAIN_SECONDS + GRACE_SECONDS + _FINISH_SECONDS
    # Exports and the database take their time besides.
    assert found.pod["terminationGracePeriodSeconds"] >= longest + 10


def test_a_gateway_that_stops_is_taken_out_of_rotation_while_it_still_serves_and_one_slow_answer_is_nothing() -> None:
    probe = manifests.container(manifests.deployment("gateway"))["readinessProbe"]
    drain = float(manifests.environment("gateway", {"GATEWAY_DATABASE_URL": ""})["ORDERMESH_GATEWAY_DRAIN_SECONDS"])

    assert probe["httpGet"]["path"] == "/readyz"
    assert probe["failureThreshold"] > 1
    assert probe["failureThreshold"] * probe["periodSeconds"] + probe["timeoutSeconds"] < drain


@pytest.mark.parametrize("part", PARTS)
def test_every_part_is_scaled_spread_and_kept_up(part: str) -> None:
    about = [each for each in manifests.objects("base") if each.name == part]
    (budget,) = [each for each in about if each.kind == "PodDisruptionBudget"]
    (scaler,) = [each for each in about if each.kind == "HorizontalPodAutoscaler"]
    pod = manifests.deployment(part).pod
    assert pod is not None
    assert "replicas" not in manifests.deployment(part).body["spec"], (
        "the scaler's number would be undone by each apply"
    )
    assert budget.body["spec"]["selector"]["matchLabels"] == {"app.kubernetes.io/name": part}
    assert scaler.body["spec"]["scaleTargetRef"]["name"] == part
    assert scaler.body["spec"]["minReplicas"] >= 2
    assert {each["topologyKey"] for each in pod["topologySpreadConstraints"]} == {
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    }


def test_the_network_lets_those_call_whom_the_contract_lets_in() -> None:
    allowed = {part: {"gateway"} for part in PARTS[:-1]}
    for method in contract.load().methods():
        area = method.full_name.split(".")[1]
        rule = method.GetOptions().Extensions[access_pb2.access]
        allowed[{"webhook": "order"}.get(area, area)] |= set(rule.services)
    for part, spec in policies():
        assert spec["policyTypes"] == ["Ingress", "Egress"]
        called_by = {name for entry in spec["ingress"] for name in names(entry["from"])}
        assert called_by == allowed.get(part, set()), part
        calls = {name for entry in spec["egress"] for name in names(entry.get("to", []))}
        assert calls == {callee for callee, callers in allowed.items() if part in callers}, part


def test_nobody_talks_to_anybody_unless_it_is_said() -> None:
    (nobody,) = [each for each in manifests.objects("base") if each.name == "nobody"]
    assert nobody.body["spec"] == {
        "podSelector": {"matchLabels": {"app.kubernetes.io/part-of": "ordermesh"}},
        "policyTypes": ["Ingress", "Egress"],
    }
    for found in WORKLOADS:
        assert found.template is not None
        assert found.template["metadata"]["labels"]["app.kubernetes.io/part-of"] == "ordermesh"


def test_certificates_name_the_parts_as_they_know_one_another() -> None:
    found = {each.name: each.body["spec"] for each in manifests.objects("components") if each.kind == "Certificate"}
    for part in PARTS:
        pod = manifests.deployment(part).pod
        assert pod is not None
        (volume,) = [each for each in pod["volumes"] if each["name"] == "certificate"]
        assert found[part]["uris"] == [f"spiffe://ordermesh.internal/{part}"]
        assert part in found[part]["dnsNames"]
        assert found[part]["secretName"] == volume["secret"]["secretName"]
    for name in (*PARTS, OPERATOR):
        assert found[name]["uris"] == [f"spiffe://ordermesh.internal/{name}"]
        assert name in found[name]["dnsNames"]
        assert {"client auth", "server auth"} <= set(found[name]["usages"])


@pytest.mark.parametrize("name", ["operator", "audit"])
def test_whoever_gives_commands_is_let_in_by_certificate_and_by_network(name: str, mounted: Path) -> None:
    (found,) = [each for each in WORKLOADS if each.name == name]
    assert found.pod is not None
    assert found.template is not None
    labels = found.template["metadata"]["labels"]
    values = manifests.env_file(KUBERNETES / "base" / "settings.env")
    (certificate,) = [each for each in manifests.container(found)["volumeMounts"] if each["name"] == "certificate"]
    (volume,) = [each for each in found.pod["volumes"] if each["name"] == "certificate"]
    assert certificate["mountPath"] == f"{values['ORDERMESH_TLS_DIR']}/{OPERATOR}"
    assert volume["secret"]["secretName"] == "operator-tls"
    config = CliConfig.from_env({each: value.replace("/etc/ordermesh", str(mounted)) for each, value in values.items()})
    assert config.transport.security is Security.TLS

    (out,) = [each.body["spec"] for each in manifests.objects("base") if each.name == OPERATOR and "Net" in each.kind]
    assert out["podSelector"]["matchLabels"].items() <= labels.items()
    for part, spec in policies():
        if part == "gateway":
            continue
        (port,) = [str(each["ports"][0]["port"]) for each in out["egress"] if names(each["to"]) == {part}]
        assert port == PORTS[LISTENS[part]]
        into = [peer for entry in spec["ingress"] for peer in entry["from"]]
        assert out["podSelector"]["matchLabels"] in [peer.get("podSelector", {}).get("matchLabels") for peer in into]


def test_whoever_is_given_a_database_reaches_it() -> None:
    given = {
        found.name
        for found in manifests.objects("base")
        if found.pod is not None
        and any(entry["name"].endswith("_DATABASE_URL") for entry in manifests.container(found).get("env", ()))
    }
    (out,) = [each.body["spec"] for each in manifests.objects("base") if each.name == "database"]
    policies_of_ours = {
        each.name: each.body["spec"] for each in manifests.objects("overlays/development") if "Net" in each.kind
    }
    (into,) = [each for entry in policies_of_ours["postgres"]["ingress"] for each in entry["from"]]

    assert set(out["podSelector"]["matchExpressions"][0]["values"]) == given
    assert set(into["podSelector"]["matchExpressions"][0]["values"]) == given


def test_jobs_of_the_night_come_once_at_a_time_and_are_not_begun_late() -> None:
    jobs = {each.name: each.body["spec"] for each in WORKLOADS if each.kind == "CronJob"}
    assert jobs.keys() == {"audit", "retention"}
    assert len({spec["schedule"] for spec in jobs.values()}) == 2
    for spec in jobs.values():
        assert spec["concurrencyPolicy"] == "Forbid"
        assert spec["jobTemplate"]["spec"]["activeDeadlineSeconds"] > 0
    assert jobs["audit"]["jobTemplate"]["spec"]["backoffLimit"] == 0, "what differs would differ again"


@pytest.mark.parametrize("part", PARTS)
def test_a_shops_settings_are_ones_that_parts_start_with(part: str, mounted: Path, tmp_path: Path) -> None:
    own = manifests.env_file(KUBERNETES / "overlays" / "production" / "settings.env")
    secrets = {f"{name.upper()}_DATABASE_URL": "postgresql://u:p@host/name" for name in PARTS}
    secrets |= {"STRIPE_API_KEY": "rk_live_made_up", "STRIPE_WEBHOOK_SECRET": "whsec_made_up"}
    secrets |= {"AVATAX_ACCOUNT_ID": "1", "AVATAX_LICENSE_KEY": "made up", "SENDGRID_API_KEY": "SG.made.up"}
    values = own | manifests.environment(part, secrets) | {"ORDERMESH_DATA_DIR": str(tmp_path)}
    here = {name: value.replace("/etc/ordermesh", str(mounted)) for name, value in values.items()}
    if part == "notify":
        with pytest.raises(ConfigError, match="SENDGRID_WEBHOOK_PUBLIC_KEY"):
            mesh.load(part, here)
        here["SENDGRID_WEBHOOK_PUBLIC_KEY"] = SendgridKey().public
        assert not NotifyConfig.from_env(here).is_deaf
    if part == "tax":
        assert TaxConfig.from_env(here).ship_from is not None

    assert mesh.load(part, here).address == values[LISTENS[part]]
