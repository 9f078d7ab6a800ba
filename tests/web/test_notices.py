"""The inbox: one's own notices, in all of one's organizations, and nobody else's."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import translation

from tenants import inbox, notices, preferences, rls
from tenants.actions import members, quota_raises
from tenants.models import Mail, Membership, Notice
from tenants.notice_kinds import Group
from tenants.notice_routes import Preferences, Way
from tenants.roles import Role
from tests.api.callers import caller, send
from tests.cast import browser
from tests.factories import NOON
from tests.web.conftest import World

WORDS = {"name": "<b>erp</b>", "day": "2026-11-20"}


@pytest.fixture
def notice(world: World) -> Notice:
    with rls.tenant(world.cast.firm.pk):
        notices.tell(
            "key.expiring",
            organization=world.cast.firm,
            to=[world.cast.alice.user],
            now=NOON,
            place=reverse("keys"),
            **WORDS,
        )
    with rls.everyone(because="test"):
        return Notice.objects.filter(kind="key.expiring").get()


def read_at(notice: Notice) -> Any:
    with rls.everyone(because="test"):
        return Notice.objects.get(pk=notice.pk).read_at


def test_counts_at_the_bell_and_opens_where_it_leads(world: World, notice: Notice) -> None:
    alice = browser(world.cast.alice)
    page = alice.get(reverse("notices")).content.decode()
    assert "&lt;b&gt;erp&lt;/b&gt;" in page and "<b>erp</b>" not in page

    answer = alice.post(reverse("notice_open", args=[notice.public_id]))

    assert answer["Location"] == reverse("keys")
    assert read_at(notice) == NOON


@pytest.mark.parametrize("who", ["bob", "mallory", "nobody", "olivia"])
@pytest.mark.parametrize("deed", ["notice_open", "notice_read"])
def test_is_nobody_elses(world: World, notice: Notice, who: str, deed: str) -> None:
    answer = browser(world.cast[who]).post(reverse(deed, args=[notice.public_id]))

    assert answer.status_code == 404
    assert read_at(notice) is None


def test_is_not_shown_any_more_to_who_left(world: World, notice: Notice) -> None:
    with rls.everyone(because="test"):
        Membership.objects.filter(user=world.cast.alice.user).delete()
    with rls.user(world.cast.alice.user.pk):
        assert not inbox.of(world.cast.alice.user).filter(pk=notice.pk).exists()


def test_marks_all_that_are_there(world: World, notice: Notice) -> None:
    browser(world.cast.alice).post(reverse("notices_read"))

    assert read_at(notice) == NOON


def test_a_muted_project_is_told_quietly(world: World) -> None:
    alice = world.cast.alice.user
    wish = Preferences(muted_projects=frozenset({world.cast.project.public_id}))
    preferences.change(user=alice, wish=wish)
    with rls.tenant(world.cast.firm.pk):
        notices.tell(
            "key.expiring",
            organization=world.cast.firm,
            to=[alice],
            now=NOON,
            project=world.cast.project.public_id,
            **WORDS,
        )

    with rls.user(alice.pk):
        assert inbox.of(alice).filter(kind="key.expiring", read_at__isnull=False).exists()


def test_refuses_a_notice_without_its_words(world: World) -> None:
    with rls.tenant(world.cast.firm.pk), pytest.raises(notices.BadNotice):
        notices.tell("key.expiring", organization=world.cast.firm, to=[], now=NOON)


@pytest.mark.parametrize("place", ["//evil", "https://evil", "javascript:x", "/\\evil"])
def test_leads_only_to_our_own_pages(world: World, place: str) -> None:
    with rls.tenant(world.cast.firm.pk), pytest.raises(notices.BadNotice):
        notices.tell(
            "key.expiring",
            organization=world.cast.firm,
            to=[world.cast.alice.user],
            now=NOON,
            place=place,
            **WORDS,
        )


def test_keeps_choices_from_the_page_and_from_the_api(world: World) -> None:
    alice = world.cast.alice.user
    calls = caller(world, "alice")
    body = {"mail": {"keys": "digest"}, "quiet": {"begin": 22, "until": 7}, "language": "en"}

    answer = send(calls, "PATCH", "notices/preferences", body)

    assert answer.status_code == 200
    with rls.user(alice.pk):
        found = preferences.of(alice)
    assert (found.mail[str(Group.KEYS)], found.quiet, found.language) == (Way.DIGEST, (22, 7), "en")


@pytest.mark.parametrize(
    "body",
    [
        {"mail": {"keys": "never"}},
        {"mail": {"nonsense": "off"}},
        {"quiet": {"begin": 5, "until": 5}},
        {"quiet": {"begin": 24, "until": 5}},
        {"digest_hour": -1},
        {"language": "fr"},
        {"user": "usr_x"},
    ],
)
def test_refuses_choices_without_sense(world: World, body: dict[str, Any]) -> None:
    assert send(caller(world, "alice"), "PATCH", "notices/preferences", body).status_code == 422


def test_forgets_what_was_read_a_year_ago(world: World, notice: Notice) -> None:
    with rls.everyone(because="test"):
        Notice.objects.exclude(pk=notice.pk).delete()
    year = timedelta(days=366)
    assert inbox.forget_old(now=NOON + year) == 0
    with rls.user(world.cast.alice.user.pk):
        inbox.mark_read(notice, now=NOON)

    assert inbox.forget_old(now=NOON + year) == 1


@pytest.mark.parametrize(
    ("language", "said"),
    [("ko", "실행 중인 전용 엔드포인트"), ("en", "Endpoints of its own that run")],
)
@pytest.mark.parametrize("deciders", ["ko", "en"])
def test_says_its_words_in_the_readers_language_and_not_in_that_of_the_deed(
    world: World, deciders: str, language: str, said: str
) -> None:
    preferences.change(user=world.cast.bob.user, wish=Preferences(language=language))
    bob, here = browser(world.cast.bob), {"accept-language": language}
    with rls.tenant(world.cast.firm.pk), translation.override(deciders):
        asked = quota_raises.ask(
            name="endpoints", to_most=80, because="Many schools.", by=world.cast.bob.may, now=NOON
        )
    with rls.everyone(because="test"), translation.override(deciders):
        quota_raises.decide(
            asked=asked, most=70, because="Room enough.", by=world.cast.olivia.may, now=NOON
        )

    page = bob.get(reverse("notices"), headers=here).content.decode()
    listed = send(bob, "GET", "notices", Accept_Language=language).json()["data"]

    assert said in page
    (body,) = [one["body"] for one in listed if one["kind"] == "quota.granted"]
    assert said in body
    with rls.everyone(because="test"):
        mail = Mail.objects.get(to="bob@example.com", text__contains="Room enough.")
    assert said in mail.text


@pytest.mark.parametrize(("language", "said"), [("ko", "감사"), ("en", "Auditor")])
def test_says_a_new_role_in_the_readers_language(world: World, language: str, said: str) -> None:
    with rls.tenant(world.cast.firm.pk), translation.override("en" if language == "ko" else "ko"):
        members.change_role(
            membership=Membership.objects.get(user=world.cast.bob.user),
            role=Role.AUDITOR,
            by=world.cast.alice.may,
            now=NOON,
        )

    with rls.everyone(because="test"), translation.override(language):
        assert said in Notice.objects.get(kind="member.changed").body
