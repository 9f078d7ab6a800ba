"""Every route that reaches a site is metered: there is one way, and each route takes it."""

from __future__ import annotations

import ast
from pathlib import Path

import portal.gateway
from portal.gateway.app import ROUTES, Inference
from tests.gateway.conftest import gateway, shared_gateway, shared_world, upstream, world
from tests.gateway.world import GatewayProcess, World

__all__ = ["gateway", "shared_gateway", "shared_world", "upstream", "world"]  # fixtures

BODIES = {
    "/v1/chat/completions": {
        "model": "smollm2",
        "messages": [{"role": "user", "content": "x"}],
    },
    "/v1/completions": {"model": "smollm2", "prompt": "x"},
    "/v1/embeddings": {"model": "e5", "input": "x"},
    "/v1/responses": {"model": "smollm2", "input": "x"},
    "/v1/rerank": {"model": "e5", "query": "x", "documents": ["y"]},
}


def test_every_inference_route_is_metered(gateway: GatewayProcess, world: World) -> None:
    routes = [path for path, (_, route) in ROUTES.items() if isinstance(route, Inference)]

    assert sorted(routes) == sorted(BODIES)
    for number, path in enumerate(routes, 1):
        assert gateway.post(path, BODIES[path])[0] == 200
        found = world.settled(number)
        assert found[-1].route == path
        assert found[-1].cost_micro > 0


def test_only_one_module_sends_to_sites() -> None:
    folder = Path(portal.gateway.__path__[0])

    senders = {
        path.stem
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "send" and "pool" in ast.dump(node)
    }

    assert senders == {"relay"}
