"""What a registry of businesses promises, shown on the real client over the strict fake."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx2
import pytest

from deploy.local.registry import FAULTS, Registry
from tenants.registry.chosen import NoRegistry, registry
from tenants.registry.contract import BusinessStatus, RegistryUnavailable
from tenants.registry.nts import TaxServiceRegistry
from tests.fakes.registry import CLOSED, KEY, LEFT_OUT, SUSPENDED, TODAY, UNKNOWN
from tests.fakes.registry import registry as fake

A, B, C = "1248100998", "2208162517", "1234567891"
SECONDS = 1.0  # what the client waits at most


@pytest.fixture(scope="module")
def service() -> Iterator[Registry]:
    with fake() as running:
        yield running


@pytest.fixture(autouse=True)
def _well(service: Registry) -> None:
    service.wrong, service.days_behind = "", 0
    service.history.clear()
    service.asked.clear()


@pytest.fixture
def client(service: Registry) -> TaxServiceRegistry:
    return TaxServiceRegistry(service.url, KEY, seconds=SECONDS)


def test_tells_the_state_of_each_number(service: Registry, client: TaxServiceRegistry) -> None:
    service.report(B, SUSPENDED)
    service.report(C, CLOSED)

    found = client.look_up([A, B, C])

    assert {number: one.status for number, one in found.items()} == {
        A: BusinessStatus.ACTIVE,
        B: BusinessStatus.SUSPENDED,
        C: BusinessStatus.CLOSED,
    }
    assert found[A].tax_type == "부가가치세 일반과세자"
    assert (found[A].ended_on, found[C].ended_on) == (None, TODAY)


def test_knows_unknown_from_unanswered(service: Registry, client: TaxServiceRegistry) -> None:
    service.report(A, UNKNOWN)
    service.report(B, LEFT_OUT)

    found = client.look_up([A, B])

    assert found[A].status is BusinessStatus.UNKNOWN and found[A].tax_type == ""
    assert B not in found


@pytest.mark.parametrize("fault", [one for one in FAULTS if one not in {"", "other"}])
def test_is_unavailable_whatever_goes_wrong(
    service: Registry, client: TaxServiceRegistry, fault: str
) -> None:
    service.wrong = fault
    began = time.monotonic()

    with pytest.raises(RegistryUnavailable) as found:
        client.look_up([A])

    assert time.monotonic() - began < SECONDS + 1
    assert KEY not in str(found.value) and "serviceKey" not in str(found.value)


def test_drops_what_nobody_asked_for(service: Registry, client: TaxServiceRegistry) -> None:
    service.wrong = "other"

    assert client.look_up([A]) == {}


@pytest.mark.parametrize("numbers", [[], [A] * 101, ["123"], [A, "12345678９0"], ["1234567890\n"]])
def test_is_asked_for_1_to_100_numbers_of_ten_digits(
    service: Registry, client: TaxServiceRegistry, numbers: list[str]
) -> None:
    with pytest.raises(ValueError, match="1 to 100"):
        client.look_up(numbers)
    assert service.asked == []


def test_is_unavailable_with_a_wrong_key_and_without_a_server(service: Registry) -> None:
    for url, key in ((service.url, "wrong"), ("http://127.0.0.1:9/v1", KEY)):
        with pytest.raises(RegistryUnavailable):
            TaxServiceRegistry(url, key, seconds=SECONDS).look_up([A])


def test_is_none_where_the_settings_name_none(settings: object) -> None:
    settings.DURE_REGISTRY_URL = ""  # type: ignore[attr-defined]

    found = registry()

    assert isinstance(found, NoRegistry)
    with pytest.raises(RegistryUnavailable):
        found.look_up([A])


@pytest.mark.parametrize(
    ("path", "key", "body", "status"),
    [
        ("/status", KEY, {"b_no": [A] * 101}, 413),
        ("/status", KEY, {"b_no": ["124-81-00998"]}, 411),
        ("/status", KEY, {"b_no": []}, 411),
        ("/status", KEY, {"numbers": [A]}, 400),
        ("/status", "other", {"b_no": [A]}, 401),
        ("/state", KEY, {"b_no": [A]}, 404),
        ("/status", KEY, {"b_no": [A]}, 200),
    ],
)
def test_the_fake_is_strict(
    service: Registry, path: str, key: str, body: dict[str, object], status: int
) -> None:
    answer = httpx2.post(
        service.url + path,
        params={"serviceKey": key},
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )

    assert answer.status_code == status
