"""Single sign-on: a provider speaks for the domains that its organization has proven."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.test import Client
from django.urls import reverse

from tenants import outside, rls
from tenants.actions import single_sign_on as actions
from tenants.models import DomainClaim, SingleSignOn, User
from tests import factories
from tests.cast import Cast, Person, browser
from tests.factories import NOON
from tests.fakes.dns import FakeDns
from tests.fakes.openid import CLIENT_ID, SECRET, OpenId

DOMAIN = "example.com"  # where the cast has its addresses


def connect(person: Person, provider: OpenId, *, domain: str = DOMAIN) -> SingleSignOn:
    """A provider and a proven domain, as the organization's owner sets them up."""
    owner = browser(person)
    body = {"issuer": provider.issuer, "client_id": CLIENT_ID, "secret": SECRET}
    assert owner.post(reverse("single_sign_on"), body).status_code == 302
    owner.post(reverse("domain_claim"), {"domain": domain})
    with rls.tenant(person.may.organization.pk):
        claim = DomainClaim.objects.get(domain=domain)
        found = SingleSignOn.objects.get()
    FakeDns.records[f"_dure-verify.{domain}"] = [f"dure-verify={claim.token}"]
    owner.post(reverse("domain_prove", args=[claim.public_id]))
    return found


def come(client: Client, provider: OpenId, address: str, /, **says: Any) -> Any:
    """There and back, as a browser does it."""
    provider.says = {"sub": f"s-{address}", "email": address, "email_verified": True, **says}
    away = client.post(reverse("sso"), {"email": address})
    assert away.status_code == 200, away.content
    query = provider.authorize(away.context["place"])
    return client.get(f"{reverse('sso_callback')}?{query}")


def is_signed_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


def test_lets_a_member_in_and_counts_as_tested(people: Cast, provider: OpenId) -> None:
    connect(people.alice, provider)
    client = Client()

    answer = come(client, provider, "bob@example.com")

    assert answer["Location"] == reverse("home")
    assert client.get(reverse("home")).status_code == 200
    with rls.tenant(people.firm.pk):
        assert SingleSignOn.objects.get().tested_at is not None


def test_meets_the_rule_of_its_own_organization_only(people: Cast, provider: OpenId) -> None:
    from tests.signin.test_policies import set_rules

    connect(people.alice, provider)
    set_rules(people, sso_only=True)
    client = Client()

    come(client, provider, "bob@example.com")

    assert client.get(reverse("home")).status_code == 200
    assert browser(people.bob).get(reverse("home"))["Location"] == reverse("unmet")


def test_makes_an_account_for_a_new_address_without_any_organization(
    people: Cast, provider: OpenId
) -> None:
    connect(people.alice, provider)
    client = Client()

    come(client, provider, "new@example.com", name="새 사람")

    made = User.objects.get(email="new@example.com")
    assert (made.name, made.has_usable_password()) == ("새 사람", False)
    assert client.get(reverse("home"))["Location"] == reverse("organization_new")


@pytest.mark.parametrize(
    "says",
    [
        {"email": "victim@elsewhere.example"},
        {"email": "bob@example.com.evil.example"},
        {"email": "bob@sub.example.com"},
        {"email": "bob@example.com", "email_verified": False},
        {"email": ""},
        {"email": "x@evil.example, bob@example.com"},
        {"email": "bob@example.com\r\nBcc: x@y.example"},
        {"email": ["bob@example.com"]},
        {"sub": ""},
        {"sub": "s" * 300},
    ],
    ids=str,
)
def test_lets_nobody_in_for_whom_the_provider_may_not_speak(
    people: Cast, provider: OpenId, says: dict[str, Any]
) -> None:
    connect(people.alice, provider)
    factories.user("victim@elsewhere.example")
    client = Client()

    answer = come(client, provider, "bob@example.com", **says)

    assert answer.status_code == 403
    assert not is_signed_in(client)


@pytest.mark.parametrize("wrong", ["signature", "nonce", "issuer", "audience", "expired", "none"])
def test_refuses_a_token_that_does_not_hold(people: Cast, provider: OpenId, wrong: str) -> None:
    connect(people.alice, provider)
    provider.wrong = wrong
    client = Client()

    assert come(client, provider, "bob@example.com").status_code == 403
    assert not is_signed_in(client)


def test_takes_a_journey_back_once_and_from_its_own_browser(people: Cast, provider: OpenId) -> None:
    connect(people.alice, provider)
    client, thief = Client(), Client()
    provider.says = {"sub": "s", "email": "bob@example.com"}
    place = client.post(reverse("sso"), {"email": "bob@example.com"}).context["place"]
    back = f"{reverse('sso_callback')}?{provider.authorize(place)}"

    assert thief.get(back).status_code == 403
    assert client.get(back).status_code == 302
    assert client.get(back).status_code == 403


def test_gives_a_recycled_address_nobodys_account(people: Cast, provider: OpenId) -> None:
    connect(people.alice, provider)
    come(Client(), provider, "bob@example.com", sub="the-first")
    client = Client()

    answer = come(client, provider, "bob@example.com", sub="the-second")

    assert answer.status_code == 403
    assert not is_signed_in(client)


def test_shares_no_account_with_whoever_signed_up_first_without_confirming(
    people: Cast, provider: OpenId
) -> None:
    connect(people.alice, provider)
    squatter = factories.user("new@example.com")
    EmailAddress.objects.create(user=squatter, email=squatter.email, verified=False, primary=True)

    come(Client(), provider, "new@example.com")

    squatter.refresh_from_db()
    assert not squatter.has_usable_password()


def test_asks_for_the_accounts_own_second_factor(people: Cast, provider: OpenId) -> None:
    connect(people.alice, provider)
    factories.second_factor(people.bob.user)
    client = Client()

    answer = come(client, provider, "bob@example.com")

    assert answer["Location"] == reverse("mfa_authenticate")
    assert not is_signed_in(client)


def test_proves_a_domain_for_one_organization_only(people: Cast, provider: OpenId) -> None:
    connect(people.alice, provider)
    mallory = browser(people.mallory)
    mallory.post(reverse("domain_claim"), {"domain": DOMAIN})
    with rls.tenant(people.mallory.may.organization.pk):
        claim = DomainClaim.objects.get()
    FakeDns.records[f"_dure-verify.{DOMAIN}"].append(f"dure-verify={claim.token}")

    answer = mallory.post(f"/api/v1/domains/{claim.public_id}/prove")

    assert answer.status_code == 409
    with rls.tenant(people.mallory.may.organization.pk):
        assert DomainClaim.objects.get().proven_at is None


def test_leads_nobody_to_a_provider_of_an_unproven_domain(people: Cast, provider: OpenId) -> None:
    connect(people.mallory, provider, domain="mallory.example")
    browser(people.mallory).post(reverse("domain_claim"), {"domain": DOMAIN})

    answer = Client().post(reverse("sso"), {"email": "bob@example.com"})

    assert answer.status_code == 422


@pytest.mark.parametrize("texts", [[], ["dure-verify=x"], ["x dure-verify"]], ids=str)
def test_proves_nothing_without_the_record(people: Cast, texts: list[str]) -> None:
    alice = browser(people.alice)
    made = alice.post("/api/v1/domains", {"domain": "Hanbit.EXAMPLE."}, "application/json")
    FakeDns.records["_dure-verify.hanbit.example"] = texts

    answer = alice.post(f"/api/v1/domains/{made.json()['id']}/prove")

    assert made.json()["domain"] == "hanbit.example"
    assert answer.status_code == 409


def test_says_that_the_dns_is_silent(people: Cast) -> None:
    alice = browser(people.alice)
    made = alice.post("/api/v1/domains", {"domain": "hanbit.example"}, "application/json").json()
    FakeDns.silent.add(made["record"])

    assert alice.post(f"/api/v1/domains/{made['id']}/prove").status_code == 503


@pytest.mark.parametrize(
    "domain", ["", "com", "a b.example", "gmail.com", "10.0.0.1", "x" * 300, "a..b", "-a.example"]
)
def test_refuses_what_is_no_domain_of_ones_own(people: Cast, domain: str) -> None:
    answer = browser(people.alice).post("/api/v1/domains", {"domain": domain}, "application/json")

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "issuer",
    [
        "http://idp.example",
        "https://10.0.0.1",
        "https://[::1]",
        "https://[::ffff:10.0.0.1]",
        "https://169.254.169.254",
        "https://0x7f.1",
        "https://2130706433",
        "https://user:pw@idp.example",
        "https://127.0.0.1",
        "ftp://idp.example",
        "https://idp.example/?a=b",
        "https://",
    ],
)
def test_calls_no_private_address(people: Cast, settings: Any, issuer: str) -> None:
    settings.DURE_LOOPBACK_ISSUERS = False
    body = {"issuer": issuer, "client_id": "x", "secret": "y"}

    answer = browser(people.alice).put("/api/v1/single-sign-on", body, "application/json")

    assert answer.status_code == 422
    with rls.tenant(people.firm.pk):
        assert not SingleSignOn.objects.exists()


@pytest.mark.parametrize("wrong", ["redirect", "private"])
def test_follows_a_provider_to_no_other_place(people: Cast, provider: OpenId, wrong: str) -> None:
    provider.wrong = wrong
    body = {"issuer": provider.issuer, "client_id": CLIENT_ID, "secret": SECRET}

    assert browser(people.alice).post(reverse("single_sign_on"), body).status_code == 422


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "::1", "fd00::1", "2002:a00:1::"])
def test_connects_only_to_what_was_looked_at(
    settings: Any, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    """A name that points inside is refused, whatever it is called."""
    settings.DURE_LOOPBACK_ISSUERS = False
    monkeypatch.setattr("socket.getaddrinfo", lambda *a, **k: [(2, 1, 6, "", (address, 443))])

    with pytest.raises(outside.Forbidden):
        outside.fetch("GET", "https://idp.example/")


def test_keeps_the_secret_sealed_and_to_itself(people: Cast, provider: OpenId) -> None:
    found = connect(people.alice, provider)

    shown = browser(people.alice).get("/api/v1/single-sign-on")

    assert SECRET not in found.sealed_secret
    assert SECRET.encode() not in shown.content
    assert SECRET.encode() not in browser(people.alice).get(reverse("single_sign_on")).content


def test_keeps_what_the_rules_need(people: Cast, provider: OpenId) -> None:
    connect(people.alice, provider)
    come(Client(), provider, "bob@example.com")
    alice = Client()
    come(alice, provider, "alice@example.com")
    alice.patch("/api/v1/policies", {"sso_only": True}, "application/json")
    claim = alice.get("/api/v1/domains").json()["data"][0]

    assert alice.delete("/api/v1/single-sign-on").status_code == 409
    assert alice.delete(f"/api/v1/domains/{claim['id']}").status_code == 409


@pytest.mark.django_db(transaction=True)
def test_binds_a_subject_once_when_two_come_at_once(people: Cast, provider: OpenId) -> None:
    from django.db import connections

    from tenants.openid import Claims

    connect(people.alice, provider)
    with rls.tenant(people.firm.pk):
        through = SingleSignOn.objects.select_related("organization").get()
    claims = Claims("s", "new@example.com", "", ())
    found: list[int] = []

    def arrive() -> None:
        try:
            found.append(actions.let_in(through=through, claims=claims, now=NOON).pk)
        finally:
            connections.close_all()

    both = [threading.Thread(target=arrive) for _tab in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()

    assert len(found) == 2
    assert len(set(found)) == 1


def test_takes_no_other_journeys_state(people: Cast, provider: OpenId) -> None:
    """Somebody else's answer, put under a journey of one's own."""
    connect(people.alice, provider)
    client = Client()
    provider.says = {"sub": "s", "email": "bob@example.com"}
    place = client.post(reverse("sso"), {"email": "bob@example.com"}).context["place"]
    back = provider.authorize(place)

    answer = client.get(f"{reverse('sso_callback')}?{back}x")

    assert answer.status_code == 403
    assert not is_signed_in(client)
