"""The catalogue's pages: what narrows it, what stands side by side, where a model runs."""

from __future__ import annotations

import csv

from django.urls import reverse
from django.utils.translation import override

from portal.catalog import editing, planned
from portal.catalog.models import Offering, Version
from portal.deployments import why_words
from portal.fleet.models import SiteOffering
from tests.cast import browser
from tests.factories import CHAT, NOON
from tests.web.conftest import World

LLAMA = "llama-3-1-8b-instruct"


def shown(world: World, **sent: object) -> tuple[list[tuple[str, str]], str]:
    """(model, chip) of each row, and the page."""
    answer = browser(world.cast.bob).get(reverse("models"), sent)
    rows = [
        (one.model.slug, one.offering.chip.code) for one in answer.context["rows"] if one.offering
    ]
    return rows, answer.content.decode()


def test_narrows_the_list_and_names_each_figures_source(world: World) -> None:
    planned.load()
    everything, page = shown(world)

    assert len(everything) == Offering.objects.count()
    assert everything[0][0] in (CHAT, "multilingual-e5-small")  # what can be ordered stands first
    assert "3,935" in page
    assert set(shown(world, chip="rngd", evidence="claimed", q="llama")[0]) == {
        (LLAMA, "rngd"),
        ("llama-3-1-70b-instruct", "rngd"),
        ("llama-3-3-70b-instruct", "rngd"),
        ("llama-3-2-1b-instruct", "rngd"),
    }
    for nonsense in ({"evidence": "proven"}, {"kind": "x"}, {"q": "\x00"}, {"compare": "\x00"}):
        assert shown(world, **nonsense)[0] == everything
    assert shown(world, q="가" * 999)[0] == shown(world, chip="\u202e")[0] == []


def test_gives_what_the_filters_leave_as_a_file(world: World) -> None:
    planned.load()
    sent = {"licence": "Apache-2.0", "evidence": "claimed"}
    answer = browser(world.cast.bob).get(reverse("models_csv"), sent)

    rows = list(csv.DictReader(answer.content.decode("utf-8-sig").splitlines()))
    listed = shown(world, **sent)[0]
    assert [(one["model"], one["chip"]) for one in rows] == listed
    assert rows and {one["licence"] for one in rows} == {"Apache-2.0"}
    assert all(
        bool(one["tokens_per_second"]) == bool(one["tokens_per_second_source"]) for one in rows
    )


def test_puts_up_to_three_side_by_side(world: World) -> None:
    planned.load()
    ids = list(Offering.objects.order_by("pk").values_list("public_id", flat=True))

    answer = browser(world.cast.bob).get(
        reverse("models"), {"compare": [*ids[:4], "off_unknown"], "q": "nothing like it"}
    )

    assert len(answer.context["compared"]) == 3 and answer.context["too_many"]
    assert {one.offering.public_id for one in answer.context["compared"]} < set(ids[:4])


def test_tells_where_a_model_runs_before_it_is_ordered(world: World) -> None:
    planned.load()
    bob = browser(world.cast.bob)
    offers = {
        (one["chip"], one["evidence"]): one
        for one in bob.get(f"/api/v1/models/{CHAT}/offerings").json()["data"]
    }
    assert offers["rngd", "simulated"]["orderable"]
    assert offers["rngd", "simulated"]["sites"][0]["reasons"] == []
    assert offers["atom-max", "simulated"]["sites"] == []
    SiteOffering.objects.create(
        site=world.site,
        offering=Offering.objects.get(version__model__slug=CHAT, chip__code="rngd"),
        state="reverify",
        sdk="1.0",
        since=NOON,
    )

    page = bob.get(reverse("model", args=[CHAT])).content.decode()
    planned_page = bob.get(reverse("model", args=[LLAMA])).content.decode()

    with override("ko"):
        assert why_words.sentence("reverify") in page
        assert why_words.sentence("unproven") in planned_page
    assert "b-lab.team" in planned_page
    assert "client.chat" in page and "client.chat" not in planned_page
    answer = bob.get(f"/api/v1/models/{LLAMA}/offerings").json()["data"]
    assert not any(one["orderable"] for one in answer)


def test_answers_for_fine_tunes_by_the_fingerprint_of_their_base(world: World) -> None:
    bob = browser(world.cast.bob)
    base = Version.objects.get(model__slug=CHAT).digest

    found = bob.get("/api/v1/offerings", {"base": base}).json()["data"]

    assert {one["chip"] for one in found} == {"rngd", "atom-max", "atom-plus"}
    assert all(one["by_base"] and not one["orderable"] for one in found)
    assert [one["code"] for one in found[0]["sites"][0]["reasons"]] == ["unproven"]
    exact = bob.get("/api/v1/offerings", {"digest": base}).json()["data"]
    assert exact[0]["orderable"] and not exact[0]["by_base"]
    assert bob.get("/api/v1/offerings", {"base": "sha256:" + "0" * 64}).json()["data"] == []
    for sent, status in (
        ({}, 400),
        ({"base": base, "digest": base}, 400),
        ({"digest": "sha256:" + "G" * 64}, 422),
        ({"digest": base + "\n"}, 422),
        ({"base": "가" * 1000}, 422),
    ):
        assert bob.get("/api/v1/offerings", sent).status_code == status
    assert bob.get("/api/v1/models/gpt-9/offerings").status_code == 404


def test_tells_the_operator_what_is_wrong_with_a_move(world: World) -> None:
    olivia = browser(world.cast.olivia)
    offering = Offering.objects.get(version__model__slug=CHAT, chip__code="rngd")
    path = f"/api/v1/operator/offerings/{offering.public_id}"

    for sent, status in (
        ({"to": "measured", "because": "모의 장비에서 돌았습니다."}, 422),
        ({"to": "failing", "because": "짧다"}, 422),
        ({"to": "failing", "because": "멈췄습니다.", "by": "me"}, 422),
        ({"to": "failing", "because": "멈췄습니다."}, 200),
        ({"to": "failing", "because": "멈췄습니다."}, 422),
    ):
        answer = olivia.post(f"{path}/evidence", sent, content_type="application/json")
        assert answer.status_code == status, answer.content
    sent = {"works": True, "because": "다시 돌려 보았습니다."}
    answer = olivia.post(f"{path}/sites/{world.site.code}", sent, content_type="application/json")
    assert (answer.status_code, answer.json()["title"]) == (409, "nothing_to_verify")
    answer = olivia.get(reverse("operator_offering", args=[offering.public_id]))
    assert "멈췄습니다." in answer.content.decode()


def test_the_operator_enters_how_an_engine_is_started(world: World) -> None:
    olivia = browser(world.cast.olivia)
    offering = Offering.objects.get(version__model__slug=CHAT, chip__code="rngd")
    path = f"/api/v1/operator/offerings/{offering.public_id}/form"
    because = {"because": "공급사 문서를 확인했습니다."}

    for sent, answered in (
        ({"image": "server:latest"}, (422, "image")),
        ({"settings": {"tensor_parallel": 2}}, (422, "settings")),
        ({"parallel": 0}, (422, "parallel")),
        ({"artifact": "Qwen/Qwen3-8B", "sdk": "other"}, (422, "invalid")),
        ({"artifact": "Qwen/Qwen3-8B"}, (200, None)),
    ):
        answer = olivia.post(path, sent | because, content_type="application/json")
        code = answer.json().get("title") if answer.status_code != 200 else None
        assert (answer.status_code, code) == answered, answer.content
    found = answer.json()
    assert (found["artifact"], found["evidence"]) == ("Qwen/Qwen3-8B", "reverify")
    page = reverse("operator_offering", args=[offering.public_id])
    answer = olivia.post(reverse("operator_offering_edit", args=[offering.public_id]), because)
    shown = olivia.get(page).content.decode()
    assert found["fingerprint"] in shown and "Qwen/Qwen3-8B" in shown
    with override("ko"):
        assert str(editing.MOST_PARALLEL) in shown  # an empty form is refused, and says why
