"""Who may do what: the roles as they are shipped, and those that the driver binds itself."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.fakes.kubernetes.store import Json, Status, Store

SHIPPED = Path(__file__).resolve().parents[3] / "deploy" / "kubernetes"
ACCOUNT = {"kind": "ServiceAccount", "name": "dure-site", "namespace": "dure-system"}


@cache
def shipped() -> tuple[Json, ...]:
    """Every object of the shipped files, in their order."""
    found: list[Json] = []
    for name in ("site.yaml", "site-role.yaml"):
        found += yaml.safe_load_all((SHIPPED / name).read_text())
    return tuple(found)


class Rights:
    """Decides by the roles in the files; ``policy`` is what the admission policy says."""

    def __init__(self, store: Store) -> None:
        self.store = store
        files = shipped()
        self.roles = {
            (one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]): one
            for one in files
            if one["kind"] in {"Role", "ClusterRole"}
        }
        self.bindings = [one for one in files if one["kind"].endswith("RoleBinding")]

    def check(self, verb: str, group: str, resource: str, namespace: str, name: str) -> None:
        """403 unless a bound role allows it."""
        for binding in [*self.bindings, *self.store.of("RoleBinding")]:
            where = binding["metadata"].get("namespace", "")
            if binding["kind"] == "RoleBinding" and where != namespace:
                continue
            if ACCOUNT not in binding["subjects"]:
                continue
            ref = binding["roleRef"]
            inside = where if ref["kind"] == "Role" else ""
            role = self.roles.get((ref["kind"], inside, ref["name"]), {})
            if any(_allows(rule, verb, group, resource, name) for rule in role.get("rules", ())):
                return
        raise Status(
            403, "Forbidden", f"{resource}.{group} is forbidden: dure-site cannot {verb} it"
        )

    def admit(self, thing: Json) -> None:
        """What the API server and the shipped ValidatingAdmissionPolicy ask beyond the roles."""
        kind, where = thing["kind"], thing["metadata"]
        space = where["name"] if kind == "Namespace" else where.get("namespace", "")
        own = space == "dure-system" and kind == "ConfigMap" and where["name"] != "dure-site"
        if not (space.startswith("dure-org-") or own):
            raise Status(403, "Forbidden", "Dure writes in its own namespaces only.")
        if kind == "RoleBinding":
            group = "rbac.authorization.k8s.io"
            self.check("bind", group, "clusterroles", "", thing["roleRef"]["name"])


def _allows(rule: dict[str, Any], verb: str, group: str, resource: str, name: str) -> bool:
    named = rule.get("resourceNames")
    return (
        verb in rule["verbs"]
        and group in rule["apiGroups"]
        and resource in rule["resources"]
        and (named is None or name in named)
    )
