"""``make manifests``: every object that the driver sends or that is shipped, and the verdict of
the strict schema of a current Kubernetes release."""

from __future__ import annotations

from typing import Any

from portal.fleet.drivers.contract import FetchSpec, PlacementSpec, ServerSettings
from portal.fleet.drivers.kubernetes import tenancy
from portal.fleet.drivers.kubernetes.site import SiteSettings
from portal.fleet.drivers.kubernetes.workload import ENGINE, owned, workload_of
from tests.contracts import sites
from tests.fakes.kubernetes import schemas
from tests.fakes.kubernetes.rights import shipped


def spec(number: int = 1, **changes: Any) -> PlacementSpec:
    """A placement on the usual server of these tests."""
    furiosa = {"sdk": "furiosa-llm 2026.4.0", "artifact": "furiosa-ai/Model-8B"}
    return sites.spec(number, **furiosa | changes)


def own(number: int = 1, **changes: Any) -> PlacementSpec:
    """A placement that runs a customer's own model."""
    fetch: dict[str, Any] = {
        "location": "https://10.40.0.9:8443/hanbit/claims/manifest.json",
        "manifest": "sha256:" + "b" * 64,
        "bytes": 98_362_432,
        "file": "weights.gguf",
        "image": "registry.example/fetcher@sha256:" + "f" * 64,
    }
    fetch |= changes.pop("fetch", {})
    usual: dict[str, Any] = {"sdk": "llama.cpp", "model_digest": "sha256:" + "c" * 64}
    return spec(number, fetch=FetchSpec(**fetch), **usual | changes)


ATOM = ServerSettings(block_tokens=1024)
# One placement for each chip, server and way of asking for it.
KINDS: dict[str, PlacementSpec] = {
    "rngd": spec(1, cards=2),
    "atom-plus": spec(2, sdk="vllm-rbln 0.12.0", chip="atom-plus", cards=4, settings=ATOM),
    "atom-max": spec(3, sdk="vllm-rbln 0.12.0", chip="atom-max", settings=ATOM),
    "rebel100": spec(4, sdk="vllm-rbln 0.12.0", chip="rebel100", cards=2),
    "generic": spec(5, sdk="vllm", chip="other-1", resource="vendor.example/npu"),
    "own model": own(7),
    "own folder": own(
        8,
        sdk="vllm",
        chip="other-1",
        resource="vendor.example/npu",
        fetch={
            "location": "https://models.example.kr/hanbit/claims/manifest.json",
            "file": "",
            "private": True,
        },
    ),
    "no card": spec(6, sdk="llama.cpp", cards=0, engine="embedding", artifact="/m/e5.gguf"),
}
SETTINGS = SiteSettings(
    site="daegu-1",
    gateways=("10.20.0.0/24",),
    egress=("10.30.0.0/16",),
    origins=("203.0.113.0/24", "2001:db8::/32"),
)


def manifests(one: PlacementSpec, settings: SiteSettings = SETTINGS) -> list[dict[str, Any]]:
    """All that is sent for one placement, its organization's fences among it."""
    made = workload_of(one, settings)
    live = {"metadata": {"name": made.name, "uid": "6f1c9f5e-0000-4000-8000-000000000000"}}
    return [
        *tenancy.fences(one.organization, [one], settings),
        tenancy.disruption_budget(settings.site, one),
        made.deployment,
        owned(made.secret, live),
        owned(made.service, live),
        *([owned(made.network, live)] if one.fetch else []),
    ]


def _asked(manifest: dict[str, Any]) -> str:
    """What a Deployment asks for, in a few words."""
    if manifest["kind"] != "Deployment":
        return ""
    pod = manifest["spec"]["template"]["spec"]
    found, before = pod["containers"], [one["name"] for one in pod.get("initContainers", ())]
    engine = next(one for one in found if one["name"] == ENGINE)
    limits = {name: text for name, text in engine["resources"]["limits"].items() if "/" in name}
    return " ".join(
        [*engine["command"][:2], *(f"{name}={n}" for name, n in limits.items()), *before]
    )


def main() -> None:
    rows = [("shipped", one) for one in shipped()]
    rows += [(kind, one) for kind, placed in KINDS.items() for one in manifests(placed)]
    wrong = 0
    print(f"Kubernetes {schemas.RELEASE}, no unknown field allowed")
    for source, one in rows:
        faults = schemas.faults(one)
        wrong += bool(faults)
        name = f"{one['apiVersion']} {one['kind']}"
        said = f"REFUSED: {faults[0]}" if faults else "valid"
        print(f"{source:10} {name:62} {said:8} {_asked(one)}".rstrip())
    print(f"{len(rows)} objects, {wrong} refused")


if __name__ == "__main__":
    main()
