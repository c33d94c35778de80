"""What deploy/ says, read as it is written: Kubernetes objects, containers, and the environment that each is given."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

Json = dict[str, Any]

DEPLOY = Path(__file__).parents[2] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
SCHEMAS = Path(__file__).with_name("schemas")

PARTS = ("order", "tax", "payment", "notify", "gateway")
_MAKES_PODS = {"Deployment", "StatefulSet", "Job", "CronJob"}
# These change an object of the base, or are no objects.
_NO_OBJECTS = {"kustomization.yaml", "replicas.yaml", "database.yaml"}


@dataclass(frozen=True, slots=True)
class Object:
    """A Kubernetes object, and the file that it stands in."""

    where: str
    body: Json

    @property
    def kind(self) -> str:
        """Its kind."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.body["metadata"]["name"])

    @property
    def template(self) -> Json | None:
        """What its pods are made by; None where it makes none."""
        if self.kind not in _MAKES_PODS:
            return None
        spec = self.body["spec"]["jobTemplate"]["spec"] if self.kind == "CronJob" else self.body["spec"]
        template = spec["template"]
        assert isinstance(template, dict)
        return template

    @property
    def pod(self) -> Json | None:
        """The spec of the pods that it makes; None where it makes none."""
        return self.template["spec"] if self.template else None


def objects(folder: str = "") -> list[Object]:
    """Return every object that is written down below deploy/kubernetes."""
    return [Object(where, json.loads(text)) for where, text in _documents(folder)]


@cache
def _documents(folder: str) -> list[tuple[str, str]]:
    """Return each document as JSON, which is read anew some hundred times as fast as YAML."""
    return [
        (str(file.relative_to(KUBERNETES)), json.dumps(body))
        for file in sorted((KUBERNETES / folder).rglob("*.yaml"))
        if file.name not in _NO_OBJECTS
        for body in yaml.safe_load_all(file.read_text())
    ]


def rendered(overlay: str) -> list[Object]:
    """Return the objects of an overlay as kubectl puts them together; it needs no cluster for it."""
    kubectl = shutil.which("kubectl")
    assert kubectl is not None
    text = subprocess.run(
        [kubectl, "kustomize", str(KUBERNETES / "overlays" / overlay)], capture_output=True, text=True, check=True
    ).stdout
    return [Object(overlay, body) for body in yaml.safe_load_all(text)]


def complaints(found: Object) -> list[str]:
    """Return what the object's schema says against it; strings that nobody knows are complaints as well."""
    group, _, version = found.body["apiVersion"].rpartition("/")
    file = "cert-manager.json" if group == "cert-manager.io" else "kubernetes.json"
    schema = _schema(file)
    name = "-".join(filter(None, (found.kind.lower(), group.removesuffix(".k8s.io"), version)))
    assert name in schema["$defs"], f"no schema of {name}: add it to tests/deploy/trim.py"
    validator = Draft202012Validator({"$ref": f"#/$defs/{name}", **schema})
    return [
        f"{found.where} {found.name} {error.json_path}: {error.message[:200]}"
        for error in validator.iter_errors(found.body)
    ]


@cache
def _schema(file: str) -> Json:
    schema = json.loads((SCHEMAS / file).read_text())
    assert isinstance(schema, dict)
    return schema


def env_file(path: Path) -> dict[str, str]:
    """Return the variables of a file with a NAME=value a line."""
    lines = [line for line in path.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def deployment(part: str) -> Object:
    """Return the Deployment of a part."""
    (found,) = [each for each in objects("base") if each.kind == "Deployment" and each.name == part]
    return found


def container(found: Object) -> Json:
    """Return the one container of an object's pods."""
    assert found.pod is not None
    (only,) = found.pod["containers"]
    assert isinstance(only, dict)
    return only


def environment(part: str, secrets: Mapping[str, str]) -> dict[str, str]:
    """Return what the part's container is given by the base, with values for what it takes from secrets."""
    values = env_file(KUBERNETES / "base" / "settings.env")
    for entry in container(deployment(part))["env"]:
        values[entry["name"]] = (
            entry["value"] if "value" in entry else secrets[entry["valueFrom"]["secretKeyRef"]["key"]]
        )
    return values


def compose() -> Json:
    """Return compose.yaml with its references to the environment replaced by their defaults."""
    text = re.sub(
        r"\$\{(\w+)(?::([-?])([^}]*))?\}",
        lambda found: found[3] if found[2] == "-" else "password",
        (DEPLOY / "compose.yaml").read_text(),
    )
    body = yaml.safe_load(text)
    assert isinstance(body, dict)
    return body
