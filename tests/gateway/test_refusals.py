"""Who is not let in, in OpenAI's words, and that nothing is charged or sent for it."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import openai
import pytest

from portal.lib import ids
from portal.routing import demand
from tests.fakes.upstream import Upstream
from tests.gateway.world import ORG_CODE, PRICE, GatewayProcess, World, target, wait_until
from tests.minutes import begin_early

CHAT = {"model": "smollm2", "messages": [{"role": "user", "content": "안녕?"}]}
PATH = "/v1/chat/completions"
WORST = (7 + 8 * 2) * PRICE // 1_000_000 + 10 * 2 * PRICE // 1_000_000  # of 안녕? and 10 tokens


def error(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer["error"]
    assert {"message", "type", "param", "code"} <= found.keys()
    return found


def test_gives_every_wrong_key_the_same_answer(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    other = ids.mint_api_key(ORG_CODE)  # well-formed, unknown
    revoked = ids.mint_api_key(ORG_CODE)
    sha = ids.hash_api_key(revoked)
    world.admission.publish_grants([(sha, msgspec.structs.replace(world.grant), True)])
    wrong = [
        "",
        "Bearer",
        "Bearer ",
        f"Basic {world.key}",
        f"Bearer  {world.key}",
        f"Bearer {world.key[:-1]}{'1' if world.key.endswith('0') else '0'}",
        f"Bearer {world.key} x",
        f"bearer {world.key}",
        f"Bearer {world.key[:10]}'*:{world.key[13:]}",
        f"Bearer {other}",
        f"Bearer {revoked}",
    ]

    found = [gateway.post(PATH, CHAT, authorization=value) for value in wrong]
    in_query = gateway.post(f"{PATH}?key={world.key}", CHAT)

    assert {status for status, _, _ in [*found, in_query]} == {401}
    assert len({str(answer) for _, _, answer in [*found, in_query]}) == 1
    assert error(found[0][2])["code"] == "invalid_api_key"
    assert upstream.engine.heard == []


def test_maps_to_the_official_exceptions(gateway: GatewayProcess, world: World) -> None:
    with gateway.openai() as client:
        chat = client.chat.completions
        with pytest.raises(openai.NotFoundError, match="does not exist"):
            chat.create(model="nobody", messages=[{"role": "user", "content": "x"}])
        with pytest.raises(openai.BadRequestError, match="no chat model"):
            chat.create(model="e5", messages=[{"role": "user", "content": "x"}])
        with pytest.raises(openai.BadRequestError) as found:
            chat.create(
                model="smollm2", messages=[{"role": "user", "content": "x"}], max_tokens=2048
            )
    assert found.value.code == "context_length_exceeded"
    assert found.value.param == "max_tokens"


@pytest.mark.parametrize("model", ["../x", "x\ny", "ep_smollm2", "smollm2 "])
def test_knows_models_only_by_the_names_of_the_grant(gateway: GatewayProcess, model: str) -> None:
    status, _, answer = gateway.chat(model)

    assert (status, error(answer)["code"]) == (404, "model_not_found")


def test_names_the_budget_that_is_spent(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    world.limit("prj_gate", WORST - 1)

    status, headers, answer = gateway.chat("smollm2", max_tokens=10)

    found = error(answer)
    assert (status, found["code"], found["type"]) == (429, *["insufficient_quota"] * 2)
    assert found["budget"] == "prj_gate"
    assert "project" in found["message"]
    assert "budget officer" in found["message"]
    assert found["left"] == f"{(WORST - 1) / 1e6:.6f}".rstrip("0")
    assert headers["x-should-retry"] == "false"
    assert int(headers["retry-after"]) > 0
    assert upstream.engine.heard == []
    assert world.held() == 0

    world.limit("prj_gate", WORST)
    assert gateway.chat("smollm2", max_tokens=10)[0] == 200


def test_tells_when_to_come_back(gateway: GatewayProcess, world: World) -> None:
    world.change_grant(rpm=2)
    begin_early()

    found = [gateway.chat("smollm2") for _ in range(3)]

    assert [status for status, _, _ in found] == [200, 200, 429]
    _, headers, answer = found[2]
    assert error(answer)["code"] == "rate_limit_exceeded"
    assert 0 < int(headers["retry-after"]) <= 60
    assert headers["x-ratelimit-remaining-requests"] == "0"
    assert headers["x-ratelimit-limit-requests"] == "2"


def test_says_that_an_endpoint_pauses(gateway: GatewayProcess, world: World) -> None:
    world.endpoint("pausing", paused=True)
    world.publish()

    wait_until(lambda: "paused" in gateway.chat("pausing")[2]["error"].get("rule", ""))

    assert gateway.chat("pausing")[0] == 503
    assert world.held() == 0


def test_says_when_a_closed_endpoint_opens_and_how_long_waking_takes(
    gateway: GatewayProcess, world: World
) -> None:
    opens_at_ms = time.time_ns() // 1_000_000 + 3_600_000
    world.endpoint("closed", paused=True, opens_at_ms=opens_at_ms)
    world.endpoint("asleep", asleep=True, wakes_in_seconds=120)  # longer than requests may wait
    world.publish()

    wait_until(lambda: "opens at" in gateway.chat("closed")[2]["error"].get("rule", ""))
    status, headers, answer = gateway.chat("asleep")

    assert 3_500 < int(gateway.chat("closed")[1]["retry-after"]) <= 3_600
    assert (status, error(answer)["code"]) == (503, "endpoint_asleep")
    assert headers["retry-after"] == "120"
    assert world.held() == 0
    wait_until(lambda: "ep_asleep" in _told_asleep(world))


def _told_asleep(world: World) -> set[str]:
    told = [demand.decode(raw) for raw in world.admission.demand()]
    return {one.endpoint for second in told for one in second.endpoints if one.sleepers}


def test_sends_nothing_to_a_site_that_is_not_allowed(
    gateway: GatewayProcess, world: World, upstream: Upstream
) -> None:
    world.change_grant(sites=("gwangju-1",), data_class="medical")

    status, headers, answer = gateway.chat("smollm2")

    found = error(answer)
    assert (status, found["code"]) == (503, "no_eligible_site")
    assert "medical" in found["rule"]
    assert headers["retry-after"] == "5"
    assert upstream.engine.heard == []
    wait_until(lambda: world.held() == 0)
    assert world.events() == []


@pytest.mark.parametrize("name", ["OpenAI-Organization", "OpenAI-Project"])
def test_refuses_to_act_for_others(gateway: GatewayProcess, world: World, name: str) -> None:
    own = world.grant.organization if name.endswith("ion") else world.grant.project

    assert gateway.post(PATH, CHAT, **{name: "org_other"})[0] == 403
    assert gateway.post(PATH, CHAT, **{name: own})[0] == 200


def test_forgets_a_revoked_key_at_once(gateway: GatewayProcess, world: World) -> None:
    assert gateway.chat("smollm2")[0] == 200

    world.change_grant(revoked=True)

    assert gateway.chat("smollm2")[0] == 401


def test_says_that_the_organization_is_not_confirmed(gateway: GatewayProcess, world: World) -> None:
    world.models.clear()
    world.change_grant(confirmed=False)

    answer = gateway.chat("smollm2")

    assert answer[0] == 403
    assert error(answer[2])["code"] == "organization_not_confirmed"


def test_follows_a_grant_that_moved_to_another_endpoint(
    gateway: GatewayProcess, world: World, other_upstream: Upstream
) -> None:
    assert gateway.chat("smollm2")[0] == 200
    world.endpoint("other", target("other", other_upstream.url, "ok"))
    moved = world.models["other"]
    world.publish()
    wait_until(lambda: gateway.chat("other")[0] == 200)

    world.models["smollm2"] = moved
    world.change_grant()

    assert gateway.chat("smollm2")[0] == 200
    assert len(other_upstream.engine.heard) == 2
    assert world.held() == 0 or world.settled(3)


def test_measures_bodies(gateway: GatewayProcess, world: World) -> None:
    large = {**CHAT, "messages": [{"role": "user", "content": "x" * (1 << 20)}]}

    assert gateway.post(PATH, large)[0] == 413
    assert gateway.post(PATH, CHAT, content_type="text/plain")[0] == 415
    assert gateway.post(PATH, CHAT, content_encoding="gzip")[0] == 415
    status, _, answer = gateway.post(PATH, {**CHAT, "best_of": 3})
    assert (status, error(answer)["param"]) == (400, "best_of")


def test_answers_only_its_own_addresses(gateway: GatewayProcess) -> None:
    assert gateway.get("/v1/nothing")[0] == 404
    status, headers, content = gateway.send("GET", PATH, None, {})
    assert (status, headers["allow"]) == (405, "POST")
    assert b'"method_not_allowed"' in content
    assert gateway.send("POST", "/v1/models", b"{}", {})[0] == 405
    assert gateway.send("TRACE", "/v1/models", None, {})[0] == 405


def test_refuses_early_when_it_is_full(start: Any, world: World, upstream: Upstream) -> None:
    gateway = start(DURE_GATEWAY_MOST_OPEN="1")
    world.endpoint("long", target("long", upstream.url, "long"))
    world.publish()
    wait_until(lambda: gateway.get("/ready")[1].get("table") == world.number)

    with gateway.openai() as client:
        stream = client.chat.completions.create(
            model="long", messages=[{"role": "user", "content": "x"}], stream=True
        )
        next(iter(stream))
        status, headers, answer = gateway.chat("smollm2")
        stream.close()

    assert (status, error(answer)["code"]) == (429, "overloaded")
    assert headers["retry-after"] == "1"
