"""Makes tests/deploy/schemas/ anew: `python -m tests.deploy.trim WHEELS`, a folder with unpacked wheels.

The wheels are kubernetes-validate and check-jsonschema from PyPI, which carry the schemas of Kubernetes and of the
Compose specification (both under the Apache License 2.0); they are far too large to be installed for the few kinds that
deploy/ uses. cert-manager's are its CustomResourceDefinitions, in the Go module github.com/cert-manager/cert-manager.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).with_name("schemas")
VERSION = "1.34"
KINDS = (
    "configmap-v1",
    "cronjob-batch-v1",
    "deployment-apps-v1",
    "horizontalpodautoscaler-autoscaling-v2",
    "job-batch-v1",
    "namespace-v1",
    "networkpolicy-networking-v1",
    "poddisruptionbudget-policy-v1",
    "secret-v1",
    "service-v1",
    "serviceaccount-v1",
    "statefulset-apps-v1",
)
_REFERENCE = "#/$defs/"
# Descriptions, and what is said to tools that write manifests.
_UNUSED = ("description", "$schema", "$id")


def kubernetes(wheels: Path) -> dict[str, Any]:
    """Return one schema with a definition for each kind, and all that those need."""
    folder = wheels / "kubernetes_validate" / "kubernetes-json-schema" / f"v{VERSION}.0-local-strict"
    every = json.loads((folder / "_definitions.json").read_text())["$defs"]
    needed: dict[str, Any] = {}

    def take(name: str) -> None:
        if name not in needed:
            needed[name] = None
            needed[name] = _rewritten(every[name], take)

    kinds = {kind: _rewritten(json.loads((folder / f"{kind}.json").read_text()), take) for kind in KINDS}
    return {"$defs": dict(sorted({**needed, **kinds}.items()))}


def cert_manager(module: Path) -> dict[str, Any]:
    """Return one schema with a definition for each kind."""
    kinds: dict[str, Any] = {}
    for file in sorted((module / "deploy" / "crds").glob("*.yaml")):
        # They are Helm's templates, whose every directive has a line of its own.
        plain = "\n".join(line for line in file.read_text().splitlines() if "{{" not in line)
        spec = yaml.safe_load(plain)["spec"]
        name = spec["names"]["singular"]
        if name in {"certificate", "issuer"}:
            (version,) = [each for each in spec["versions"] if each["name"] == "v1"]
            schema = _rewritten(version["schema"]["openAPIV3Schema"], lambda _: None)
            del schema["properties"]["status"]
            if name == "issuer":
                # The largest part by far, for authorities outside of the cluster.
                schema["properties"]["spec"]["properties"].pop("acme")
            kinds[f"{name}-cert-manager.io-v1"] = _closed(schema)
    return {"$defs": kinds}


def _rewritten(schema: Any, take: Any) -> Any:  # noqa: ANN401  (JSON)
    """Return the schema without descriptions, its references within one file; `take` hears of each."""
    if isinstance(schema, list):
        return [_rewritten(each, take) for each in schema]
    if not isinstance(schema, dict):
        return schema
    reference = schema.get("$ref")
    if isinstance(reference, str):
        name = reference.partition(_REFERENCE)[2]
        take(name)
        return {"$ref": f"{_REFERENCE}{name}"}
    return {
        key: _rewritten(value, take)
        for key, value in schema.items()
        if not (key in _UNUSED and isinstance(value, str)) and not key.startswith("x-kubernetes-")
    }


def _closed(schema: Any) -> Any:  # noqa: ANN401  (JSON)
    """Return the schema with every object closed: a server drops what it does not know, and a typo with it."""
    if isinstance(schema, list):
        return [_closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and "type" in schema:
        closed.setdefault("additionalProperties", False)
        if "apiVersion" in schema["properties"]:
            closed["properties"]["metadata"] = {"type": "object"}
    return closed


def _write(name: str, schema: dict[str, Any]) -> None:
    (SCHEMAS / name).write_text(json.dumps(schema, separators=(",", ":")) + "\n")


def main() -> None:
    """Write all of them."""
    wheels = Path(sys.argv[1])
    _write("kubernetes.json", kubernetes(wheels))
    _write("cert-manager.json", cert_manager(wheels / "cert-manager"))
    compose = wheels / "check_jsonschema" / "builtin_schemas" / "vendor" / "compose-spec.json"
    _write("compose.json", _rewritten(json.loads(compose.read_text()), lambda _: None))


if __name__ == "__main__":
    main()
