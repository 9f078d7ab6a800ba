"""Strict schemas of one Kubernetes release, as packaged by ``kubernetes-validate``."""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

RELEASE = "1.37.0"


@cache
def _folder() -> Path:
    found = importlib.util.find_spec("kubernetes_validate")
    assert found is not None and found.origin, (
        "run `make setup dev`: kubernetes-validate is missing"
    )
    return Path(found.origin).parent / "kubernetes-json-schema" / f"v{RELEASE}-local-strict"


@cache
def _registry() -> Registry[Any]:
    definitions = json.loads((_folder() / "_definitions.json").read_text())
    return Resource.from_contents(definitions) @ Registry()


@cache
def _validator(api_version: str, kind: str) -> Draft202012Validator:
    group, _, version = api_version.rpartition("/")
    name = f"{kind}-{group.partition('.')[0]}-{version}" if group else f"{kind}-{version}"
    schema = json.loads((_folder() / f"{name.lower()}.json").read_text())
    return Draft202012Validator(schema, registry=_registry())


def faults(thing: dict[str, Any]) -> list[str]:
    """Sentences about every field that is unknown or of the wrong kind; empty if all is well."""
    found = _validator(thing["apiVersion"], thing["kind"]).iter_errors(thing)
    return [f"{'.'.join(map(str, one.absolute_path))}: {one.message[:200]}" for one in found]
