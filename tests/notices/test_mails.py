"""Mails: queued with the deed, sent once, tried again, and never twice in silence."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connections, transaction

from tenants import digests, key_watch, mails, notices, preferences, rls, sending
from tenants.models import ApiKey, Mail, MailState, Notice
from tenants.notice_kinds import Group
from tenants.notice_routes import Preferences, Way
from tests import factories
from tests.cast import Cast
from tests.factories import NOON
from tests.fakes.smtp import MailServer

WORDS = {"name": "erp", "day": "2026-11-20"}


@pytest.fixture
def server(settings: Any) -> Iterator[MailServer]:
    with MailServer() as found:
        settings.MAILERS = {
            "default": {
                "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
                "OPTIONS": {"host": "127.0.0.1", "port": found.port, "timeout": 2},
            }
        }
        yield found


def tell(cast: Cast, kind: str = "key.expiring", now: Any = NOON, **more: Any) -> None:
    notices.tell(kind, organization=cast.firm, to=[cast.alice.user], now=now, **(WORDS | more))


def outbox() -> list[Mail]:
    with rls.everyone(because="test"):
        return list(Mail.objects.order_by("pk"))


def test_queues_one_mail_with_the_deed(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast)
    (mail,) = outbox()

    assert (mail.to, mail.state) == ("alice@example.com", "queued")
    assert "erp" in mail.text and "erp" in mail.html
    assert mail.message_id.startswith(f"<{mail.public_id}@")


def test_queues_nothing_for_a_deed_that_is_taken_back(cast: Cast) -> None:
    with pytest.raises(RuntimeError), transaction.atomic():
        with rls.tenant(cast.firm.pk):
            tell(cast)
        raise RuntimeError

    assert outbox() == []


def test_shows_markup_in_words_as_text(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast, name="<img src=x onerror=alert(1)>")
    (mail,) = outbox()

    assert "<img src=x" not in mail.html
    assert "&lt;img" in mail.html


def test_a_line_break_in_a_word_makes_no_header(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast, name="x\r\nBcc: all@example.com")
    (mail,) = outbox()

    assert "\n" not in mail.subject and "\r" not in mail.subject


@pytest.mark.parametrize(
    "to",
    ["a@b\r\nBcc: c@d", "a@b, c@d", "Ann <a@b>", "a", "", "a@", "@b", "a@b\n", "x" * 250 + "@b.kr"],
)
def test_refuses_what_is_no_single_address(cast: Cast, to: str) -> None:
    letter = mails.Letter("s", "t", "<p>t</p>")

    with pytest.raises(mails.BadHeader):
        mails.put([(to, letter)], organization=None, now=NOON)
    assert outbox() == []


def test_sends_what_is_due(cast: Cast, server: MailServer) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast)
    assert sending.send_due(now=NOON) == 1

    (mail,) = outbox()
    (taken,) = server.taken
    assert (mail.state, mail.maybe_twice) == ("sent", False)
    assert taken.to == "alice@example.com"
    assert taken.message_id == mail.message_id
    assert sending.send_due(now=NOON + timedelta(days=1)) == 0


@pytest.mark.parametrize(
    ("mood", "state", "twice"),
    [
        ("refuse", "failed", False),
        ("later", "queued", False),
        ("away", "queued", False),
        ("cut", "queued", True),
    ],
)
def test_says_what_came_of_it(
    cast: Cast, server: MailServer, mood: str, state: str, twice: bool
) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast)
    server.mood = mood

    sending.send_due(now=NOON)

    (mail,) = outbox()
    assert (mail.state, mail.maybe_twice) == (state, twice)
    assert mail.fault


def test_tries_again_under_the_same_id_and_says_that_it_may_be_twice(
    cast: Cast, server: MailServer
) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast)
    server.mood = "cut"
    sending.send_due(now=NOON)
    server.mood = "ok"
    assert sending.send_due(now=NOON + timedelta(seconds=30)) == 0  # not before its pause
    assert sending.send_due(now=NOON + timedelta(minutes=2)) == 1

    (mail,) = outbox()
    assert len({taken.message_id for taken in server.taken}) == 1
    assert len(server.taken) == 2
    assert (mail.state, mail.maybe_twice, mail.attempts) == ("sent", True, 2)


def test_gives_up_after_a_bounded_number_of_attempts(cast: Cast, server: MailServer) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast)
    server.mood, now = "later", NOON
    for _ in range(sending.MOST_ATTEMPTS + 3):
        sending.send_due(now=now)
        now += timedelta(days=1)

    (mail,) = outbox()
    assert (mail.state, mail.attempts) == ("failed", sending.MOST_ATTEMPTS)


def test_takes_over_from_a_sender_that_died(cast: Cast, server: MailServer) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast)
    assert sending.claim(now=NOON) is not None  # killed here

    assert sending.send_due(now=NOON + timedelta(minutes=4)) == 0
    sending.send_due(now=NOON + timedelta(minutes=5))
    assert sending.send_due(now=NOON + timedelta(minutes=10)) == 1

    (mail,) = outbox()
    assert mail.maybe_twice


def test_who_lost_the_lease_writes_nothing(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast)
    slow = sending.claim(now=NOON)
    assert slow is not None
    sending.recover(now=NOON + timedelta(minutes=6))

    done = sending.settle(slow, sending.Outcome(MailState.SENT), now=NOON + timedelta(minutes=7))

    assert done is False
    assert outbox()[0].state == "queued"


@pytest.mark.django_db(transaction=True)
def test_two_senders_send_each_mail_once(server: MailServer) -> None:
    letter = mails.Letter("s", "t", "<p>t</p>")
    mails.put([(f"p{n}@example.com", letter) for n in range(20)], organization=None, now=NOON)

    def send(_: int) -> int:
        try:
            return sending.send_due(now=NOON)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        sent = sum(pool.map(send, range(4)))

    assert sent == 20
    assert len({taken.to for taken in server.taken}) == len(server.taken) == 20


def test_only_the_platform_sees_the_outbox(cast: Cast) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast)
        assert not Mail.objects.exists()


def test_nobody_but_the_platform_writes_into_the_outbox(cast: Cast) -> None:
    (row,) = [mails._row("a@example.com", mails.Letter("s", "t", "h"), None, NOON, NOON)]

    with pytest.raises(DatabaseError), rls.tenant(cast.firm.pk):
        row.save()


def test_forgets_texts_after_thirty_days(cast: Cast, server: MailServer) -> None:
    with rls.tenant(cast.firm.pk):
        tell(cast)
    sending.send_due(now=NOON)

    assert mails.forget_old(now=NOON + timedelta(days=30)) == 0
    assert mails.forget_old(now=NOON + timedelta(days=31)) == 1
    (mail,) = outbox()
    assert (mail.text, mail.html, mail.to) == ("", "", "alice@example.com")


# ─── digests ───────────────────────────────────────────────────────────────────────────────────


def daily(cast: Cast, hour: int = 9) -> None:
    wish = Preferences(mail={Group.KEYS: Way.DIGEST}, digest_hour=hour)
    preferences.change(user=cast.alice.user, wish=wish)


def test_collects_what_was_told_into_one_mail_a_day(cast: Cast) -> None:
    daily(cast, 18)
    with rls.tenant(cast.firm.pk):
        for name in ("eins", "zwei"):
            tell(cast, name=name)
    assert outbox() == []
    assert digests.send_due(now=NOON + timedelta(hours=5)) == 0  # 17:00 in Korea
    assert digests.send_due(now=NOON + timedelta(hours=6)) == 1
    assert digests.send_due(now=NOON + timedelta(hours=7)) == 0

    (mail,) = outbox()
    assert "eins" in mail.text and "zwei" in mail.text
    assert digests.send_due(now=NOON + timedelta(days=1, hours=6)) == 0  # nothing new: no mail


def test_a_digest_leaves_out_what_was_read(cast: Cast) -> None:
    daily(cast, 18)
    with rls.tenant(cast.firm.pk):
        tell(cast)
    with rls.everyone(because="test"):
        Notice.objects.update(read_at=NOON)

    assert digests.send_due(now=NOON + timedelta(hours=6)) == 0


def test_tells_ten_thousand_people_in_few_queries(
    cast: Cast, django_assert_max_num_queries: Any
) -> None:
    from tenants.models import User

    people = User.objects.bulk_create(
        [User(email=f"p{n}@example.com", name=f"p{n}") for n in range(2_000)]
    )
    with rls.tenant(cast.firm.pk), django_assert_max_num_queries(40):
        notices.tell("key.expiring", organization=cast.firm, to=people, now=NOON, **WORDS)

    assert len(outbox()) == 2_000


# ─── keys ──────────────────────────────────────────────────────────────────────────────────────


def test_announces_keys_that_end_soon_once_at_fourteen_and_three_days(cast: Cast) -> None:
    factories.api_key(cast.project, cast.bob.may, "bald", expires_at=NOON + timedelta(days=20))

    told = [key_watch.announce(now=NOON + timedelta(days=day)) for day in range(21)]

    assert [day for day, count in enumerate(told) if count] == [6, 17]
    assert sum(told) == 2


def test_announces_unused_keys_once_and_again_after_another_use(cast: Cast) -> None:
    key, _ = factories.api_key(cast.project, cast.bob.may, "still")
    assert key_watch.announce(now=NOON + timedelta(days=89)) == 0
    assert key_watch.announce(now=NOON + timedelta(days=90)) == 1
    assert key_watch.announce(now=NOON + timedelta(days=91)) == 0
    with rls.tenant(cast.firm.pk):
        ApiKey.objects.filter(pk=key.pk).update(used_at=NOON + timedelta(days=92))

    assert key_watch.announce(now=NOON + timedelta(days=181)) == 0
    assert key_watch.announce(now=NOON + timedelta(days=182)) == 1


def test_tells_those_who_can_do_something_about_a_key(cast: Cast) -> None:
    factories.api_key(cast.project, cast.bob.may, "bald", expires_at=NOON + timedelta(days=2))
    with rls.everyone(because="test"):
        Notice.objects.all().delete()
    key_watch.announce(now=NOON)

    with rls.everyone(because="test"):
        people = {notice.user.email for notice in Notice.objects.select_related("user")}
    assert people == {"alice@example.com", "bob@example.com"}
