"""The driver of Ray clusters where the contract suite does not look: what it refuses, what it
makes of nonsense, and what stands in the list that it puts."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
import pytest

from portal.fleet.drivers import ray_calls, ray_config, ray_reading, ray_serve
from portal.fleet.drivers.contract import SiteSpec, SiteUnavailable, WishRefused
from portal.fleet.drivers.ray_reading import Node, Serve
from portal.fleet.drivers.ray_serve import RayServeDriver
from tests.contracts.sites import TOKEN, spec, until, wish
from tests.fakes.ray import NODE, RaySite


@pytest.fixture(scope="module")
def shared() -> Iterator[RaySite]:
    site = RaySite(TOKEN)
    yield site
    site.stop()


@pytest.fixture
def site(shared: RaySite) -> RaySite:
    """A cluster on which nobody has started Serve yet."""
    shared.begin_anew()
    return shared


@pytest.fixture
def driver(site: RaySite) -> RayServeDriver:
    return RayServeDriver(site.url, TOKEN)


def until_ready(driver: RayServeDriver, name: str) -> None:
    until(
        lambda: [(one.placement, one.state) for one in driver.observe().replicas].count(
            (name, "ready")
        )
    )


def test_a_cluster_without_serve_has_accepted_nothing(driver: RayServeDriver) -> None:
    report = driver.observe()

    assert (report.generation, report.replicas) == (0, ())
    assert [card.id for card in report.cards] == ["127.0.0.1/rngd-0", "127.0.0.1/rngd-1"]


def test_puts_no_credential_into_the_list(site: RaySite, driver: RayServeDriver) -> None:
    vendor = spec(2, sdk="furiosa-llm 2026.4.0")
    driver.apply(wish(1, spec(1), vendor))

    sent = site.cluster.bodies[-1].decode()

    assert "credential-1" not in sent
    assert "credential-2" not in sent
    assert TOKEN not in sent
    assert ray_config.sha256_of("credential-2") in sent
    argv = json.loads(sent)["applications"][2]["args"]["argv"]
    assert argv[-2:] == ["--api-key", "{credential}"]
    assert argv[argv.index("--port") + 1] == "{port}"


def test_asks_for_devices_on_nodes_of_that_chip() -> None:
    wanted = wish(1, spec(1, chip="atom-max", cards=2))
    register = ray_config.accepted(wanted, ray_config.Register(), TOKEN)

    application = ray_config.serve_config(wanted, register)["applications"][1]

    assert application["deployments"][0]["ray_actor_options"] == {
        "num_cpus": 1.0,
        "resources": {"RBLN": 8},
        "label_selector": {"dure.kr/chip": "atom-max"},
    }


def test_lets_one_engine_grow_where_the_offering_says_so() -> None:
    wanted = wish(1, spec(1, most_replicas=3, parallel=8))
    register = ray_config.accepted(wanted, ray_config.Register(), TOKEN)

    deployment = ray_config.serve_config(wanted, register)["applications"][1]["deployments"][0]

    assert "num_replicas" not in deployment
    scaling = deployment["autoscaling_config"]
    assert (scaling["min_replicas"], scaling["max_replicas"]) == (1, 3)
    assert 0 < scaling["target_ongoing_requests"] < 8


def test_what_no_server_can_run_fails_with_a_reason_and_the_rest_runs(
    driver: RayServeDriver,
) -> None:
    driver.apply(wish(1, spec(1, sdk="abacus 1"), spec(2)))
    until_ready(driver, "plc_2")

    found = {one.placement: one for one in driver.observe().replicas}

    assert found["plc_1"].state == "failed"
    assert "abacus" in found["plc_1"].because


@pytest.mark.parametrize(
    ("epoch", "cards", "others", "surge"),
    [(1, 1, (), 100), (2, 1, (), 0), (1, 2, (), 0), (1, 1, (2,), 0)],
    ids=["same owner and room", "another owner", "no room", "room for a new one only"],
)
def test_a_changed_engine_starts_beside_the_old_one_only_if_it_may(
    site: RaySite,
    driver: RayServeDriver,
    epoch: int,
    cards: int,
    others: tuple[int, ...],
    surge: int,
) -> None:
    driver.apply(wish(1, spec(1, cards=cards)))
    until_ready(driver, "plc_1")

    changed = spec(1, epoch=epoch, cards=cards, parallel=8, context_tokens=4096)
    driver.apply(wish(2, changed, *map(spec, others)))

    last = json.loads(site.cluster.bodies[-1])["applications"][1]
    assert last["deployments"][0]["max_surge_percent"] == surge


def test_keeps_the_http_options_of_a_running_serve(site: RaySite, driver: RayServeDriver) -> None:
    driver.apply(wish(1))
    driver.apply(wish(2))

    assert json.loads(site.cluster.bodies[0])["http_options"]["port"] == 8000
    assert json.loads(site.cluster.bodies[1])["http_options"]["port"] == site.cluster.port


def test_ends_no_applications_of_others(site: RaySite, driver: RayServeDriver) -> None:
    site.cluster.put(
        {
            "http_options": {},
            "applications": [
                {
                    "name": "theirs",
                    "route_prefix": "/theirs",
                    "import_path": "their.app:build",
                    "deployments": [{"name": "theirs"}],
                }
            ],
        }
    )

    with pytest.raises(SiteUnavailable, match="theirs"):
        driver.apply(wish(1))

    assert list(site.cluster.apps) == ["theirs"]


def test_takes_no_wish_for_another_site(driver: RayServeDriver) -> None:
    driver.apply(wish(1))

    with pytest.raises(SiteUnavailable, match="daegu-1"):
        driver.apply(SiteSpec(site="busan-1", generation=2))


def test_sees_that_another_worker_wrote_after_it(site: RaySite, driver: RayServeDriver) -> None:
    site.cluster.mood = "raced"

    with pytest.raises(WishRefused, match="older_generation"):
        driver.apply(wish(1))


def test_sees_that_a_list_was_not_kept(site: RaySite, driver: RayServeDriver) -> None:
    site.cluster.mood = "forgetful"

    with pytest.raises(SiteUnavailable, match="did not keep"):
        driver.apply(wish(1))


def test_knows_what_runs_without_the_agent(site: RaySite, driver: RayServeDriver) -> None:
    driver.apply(wish(1, spec(1, model_digest="sha256:wanted")))
    until_ready(driver, "plc_1")
    site.cluster.mood = "silent"

    report = driver.observe()

    assert report.replicas[0].state == "ready"
    assert report.replicas[0].model_digest == "sha256:wanted"
    assert len(report.replicas[0].cards) == 1
    with pytest.raises(SiteUnavailable):
        driver.logs("plc_1", 0)


@pytest.mark.parametrize("mood", ["garbage", "odd", "huge", "broken"])
@pytest.mark.parametrize("call", ["apply", "observe", "logs"])
def test_nonsense_says_nothing(
    site: RaySite,
    driver: RayServeDriver,
    mood: str,
    call: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ray_calls, "MAX_ANSWER", 100_000)
    site.cluster.mood = mood

    with pytest.raises(SiteUnavailable):
        {
            "apply": lambda: driver.apply(wish(1)),
            "observe": driver.observe,
            "logs": lambda: driver.logs("plc_1", 0),
        }[call]()

    assert not site.cluster.apps


def test_waits_no_longer_than_it_may(
    site: RaySite, driver: RayServeDriver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_serve, "LOOK_SECONDS", 0.3)
    site.cluster.mood = "dribbles"

    with pytest.raises(SiteUnavailable, match="too slow"):
        driver.observe()


def test_a_round_ends_before_the_lease_does() -> None:
    from portal.fleet.leases import LEASE

    whole = 2 * ray_serve.LOOK_SECONDS + ray_serve.TELL_SECONDS

    assert whole < LEASE.total_seconds()


def test_a_wrong_token_is_told(site: RaySite) -> None:
    with pytest.raises(SiteUnavailable, match="403"):
        RayServeDriver(site.url, "w" * 40).observe()


def test_forgets_old_epochs_at_some_point() -> None:
    have = ray_config.Register(site="daegu-1", epochs={f"plc_{n}": 1 for n in range(3000)})

    register = ray_config.accepted(wish(1, spec(1)), have, TOKEN)

    assert len(register.epochs) == ray_config.EPOCHS_KEPT
    assert "plc_2999" in register.epochs
    assert register.epochs["plc_1"] == 1


def app(status: str, *replicas: dict[str, object], message: str = "", epoch: int = 1) -> Serve:
    """A cluster that runs ``plc_1`` in this condition."""
    wanted = wish(4, spec(1, epoch=epoch))
    register = ray_config.accepted(wanted, ray_config.Register(), TOKEN)
    site, engine = ray_config.serve_config(wanted, register)["applications"]
    shown = {
        "dure-site": {"name": "dure-site", "status": "RUNNING", "deployed_app_config": site},
        "plc_1": {
            "name": "plc_1",
            "status": status,
            "deployed_app_config": None if status == "DELETING" else engine,
            "deployments": {
                "engine": {"status": "UPDATING", "message": message, "replicas": replicas}
            },
        },
    }
    proxies = {NODE: {"status": "HEALTHY", "node_ip": "10.0.0.5"}}
    options = {"port": 8000, "ssl_certfile": None}
    return msgspec.convert(
        {"applications": shown, "proxies": proxies, "http_options": options}, Serve
    )


def replica(state: str, node: str | None = NODE, name: str = "r1") -> dict[str, object]:
    return {"replica_id": name, "state": state, "node_id": node, "start_time_s": 5.0}


def node(devices: int = 1) -> Node:
    return Node(NODE, "10.0.0.5", "ALIVE", {"FURIOSA": float(devices)}, {"dure.kr/chip": "rngd"})


@pytest.mark.parametrize(
    ("serve", "state", "because"),
    [
        (app("RUNNING", replica("RUNNING")), "ready", "answers"),
        (app("UNHEALTHY", replica("RUNNING")), "ready", "answers"),
        (app("DEPLOYING", replica("STARTING")), "starting", "starting"),
        (app("DEPLOYING", replica("STARTING", None)), "starting", "starting"),
        (app("NOT_STARTED"), "starting", "starting"),
        (app("UNHEALTHY", replica("STARTING"), message="a\nno luck\n"), "failed", "no luck"),
        (app("DEPLOY_FAILED", message="Traceback\nImportError: x"), "failed", "ImportError: x"),
        (app("DELETING", replica("STOPPING")), "stopping", "wanted"),
    ],
)
def test_reads_states(serve: Serve, state: str, because: str) -> None:
    report = ray_reading.report_of(serve, [node()], [], now_ms=1, version="")

    (found,) = report.replicas
    assert (found.state, found.epoch) == (state, 1)
    assert because in found.because
    assert found.url == ("http://10.0.0.5:8000/plc_1" if state == "ready" else None)


def test_an_engine_of_an_older_epoch_answers_for_nobody() -> None:
    serve = app("DEPLOYING", replica("RUNNING", name="old"), epoch=2)
    told = ray_reading.Told(ray_reading.Engine("plc_1", 1, "old", state="ready"))

    report = ray_reading.report_of(serve, [node()], [told], now_ms=1, version="")

    assert (report.replicas[0].epoch, report.replicas[0].state) == (2, "starting")


@pytest.mark.parametrize("state", ["starting", "failed"])
def test_a_replica_whose_server_is_started_again_is_not_ready(state: str) -> None:
    note = ray_reading.Engine("plc_1", 1, "r1", state=state, because="Exit code 3.")
    serve = app("RUNNING", replica("RUNNING"))

    report = ray_reading.report_of(serve, [node()], [ray_reading.Told(note)], now_ms=1, version="")

    assert (report.replicas[0].state, report.replicas[0].url) == (state, None)
    assert report.replicas[0].because == "Exit code 3."


def test_believes_the_engine_about_its_cards_and_its_failure() -> None:
    serve = app("DEPLOYING", replica("STARTING"))
    note = ray_reading.Engine(
        "plc_1", 1, "r1", state="failed", because="Exit code 3.", devices=(2,)
    )

    report = ray_reading.report_of(
        serve, [node(3)], [ray_reading.Told(note, restarts=1)], now_ms=1, version=""
    )

    (found,) = report.replicas
    assert (found.state, found.because, found.restarts) == ("failed", "Exit code 3.", 1)
    assert found.cards == ("10.0.0.5/rngd-2",)
