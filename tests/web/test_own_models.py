"""Own models on pages: registered, checked, in the catalogue and the order form; nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from bench.pages import Counted
from portal.catalog import admitting
from portal.catalog.models import OwnModel
from portal.deployments.models import Endpoint
from tenants import rls
from tests.cast import browser
from tests.factories import CHAT, NOON
from tests.fakes.origin import Origin, encoded
from tests.web.conftest import World


@pytest.fixture
def place(settings: Any) -> Iterator[Origin]:
    with Origin() as origin:
        settings.DURE_MODEL_ORIGINS = [origin.base]
        yield origin


def text(world: World, who: str, path: str) -> str:
    answer = browser(world.cast[who]).get(path, headers={"accept-language": "en"})
    return str(answer.content.decode())


def queries(world: World, path: str) -> int:
    """Of one page, once it is warm."""
    client, counted = browser(world.cast.bob), Counted()
    client.get(path)
    with connection.execute_wrapper(counted):
        client.get(path)
    return len(counted.queries)


def registered(world: World, place: Origin, raw: bytes) -> OwnModel:
    location, digest = place.put(raw)
    sent = {"name": "Claims desk", "base": CHAT, "location": location, "digest": digest}
    answer = browser(world.cast.bob).post("/models/own/new/", sent | {"licence_confirmed": "on"})
    assert answer.status_code == 302
    with rls.tenant(world.cast.firm.pk):
        own = OwnModel.objects.get(name="Claims desk")
    assert "Waits for its check" in text(world, "bob", answer["Location"])
    admitting.check(own.organization_id, own.pk, now=NOON)
    return own


def test_from_the_form_to_an_endpoint(world: World, place: Origin) -> None:
    own = registered(world, place, encoded())

    page = text(world, "carol", f"/models/own/{own.public_id}/")
    assert "Admitted" in page and "takes orders now" in page
    assert f"/models/own/{own.public_id}/" in text(world, "carol", "/models/")
    assert own.public_id in text(world, "bob", f"/endpoints/new/?model={own.public_id}")
    assert max(queries(world, f"/models/{one}") for one in ("", f"own/{own.public_id}/")) <= 15
    assert "Claims desk" in text(world, "carol", "/models/export.csv")
    order = {
        "name": "claims",
        "project": world.cast.project.public_id,
        "model": own.public_id,
        "region": "daegu",
        "replicas": "1",
        "idempotency_key": "idem_claims_0001",
    }
    done = browser(world.cast.bob).post("/endpoints/new/", order)
    assert done.status_code == 302
    assert "Claims desk" in text(world, "bob", done["Location"])
    with rls.tenant(world.cast.firm.pk):
        assert Endpoint.objects.get(name="claims").own_model == own


def test_says_why_not_and_what_to_do(world: World, place: Origin) -> None:
    own = registered(world, place, b"{}")

    page = text(world, "bob", f"/models/own/{own.public_id}/")

    assert "The file is no manifest" in page and "Mend the manifest" in page
    assert own.public_id not in text(world, "bob", "/endpoints/new/")


@pytest.mark.parametrize("who", ["mallory", "olivia"])
def test_nobody_else_sees_it(world: World, place: Origin, who: str) -> None:
    own = registered(world, place, encoded())

    for path in ("/models/", "/models/export.csv", "/models/own/", "/endpoints/new/"):
        page = text(world, who, path)
        assert "Claims desk" not in page and own.public_id not in page, path
    assert "Claims desk" not in text(world, who, f"/endpoints/estimate/?model={own.public_id}")
