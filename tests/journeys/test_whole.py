"""The whole product as people run it: the tour, and what a kill -9 of each program leaves behind.

One stack for all stories; `make test` gives a file to one worker, so they run in this order.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import openai
import pytest
from playwright.sync_api import sync_playwright

from deploy.local.code import code_at
from tests.journeys.stack import Running

pytestmark = pytest.mark.story

MAKE_CUSTOMER = """
import json
from django.utils import timezone
from billing import onboarding
from tenants import actors, rls, terms
from tenants.actions import checks, keys
from tenants.founding import Founding
from tenants.models import Membership, Project, User
from tenants.registry.chosen import registry
user = User.objects.create_user("kill@example.com", None, name="Kill")
now = timezone.now()
agreed = tuple(one.public_id for one in terms.in_force(now))
wish = Founding(kind="sme", name="Kill", business_number="1248100998", terms=agreed)
org = onboarding.found(owner=user, founding=wish, now=now)
checks.sweep(registry=registry(), now=now)
with rls.tenant(org.pk):
    by = actors.of_membership(Membership.objects.get())
    key, secret = keys.create(
        project=Project.objects.get(), wish=keys.KeyWish(name="k", rpm_limit=5000), by=by, now=now
    )
print(json.dumps(secret))
"""

COUNT = """
import json
from billing import budgets
from billing.models import Budget
from django.utils import timezone
from portal.usage.models import LedgerEntry
from tenants import rls
from tenants.models import Organization
with rls.everyone(because="story"):
    org = Organization.objects.get(name="Kill")
    rows = LedgerEntry.objects.filter(organization=org)
    ids = [str(one) for one in rows.values_list("request_id", flat=True)]
    spent = sum(rows.values_list("settled_micro", flat=True))
    budget = Budget.objects.get(subject=org.public_id)
standing = budgets.standing(budget, org, now=timezone.now())
print(json.dumps([ids, spent, int(standing.spent * 1000000), float(standing.held)]))
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("whole"))
    running.start()
    yield running
    assert running.stop() == [], "Ctrl-C left processes behind"


class Callers:
    """Three clients that call without pause and remember which requests were answered."""

    def __init__(self, stack: Running, secret: str) -> None:
        self.client = openai.OpenAI(
            base_url=f"http://127.0.0.1:{stack.env['DURE_GATEWAY_PORT']}/v1",
            api_key=secret,
            max_retries=0,
            timeout=20,
        )
        self.answered: set[str] = set()
        self.failed: list[str] = []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._call, args=(n,)) for n in range(3)]

    def __enter__(self) -> Callers:
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def wait_for(self, count: int) -> None:
        """Until so many requests were answered."""
        end = time.monotonic() + 60
        while len(self.answered) < count:
            assert time.monotonic() < end, f"only {len(self.answered)} answered: {self.failed[-5:]}"
            time.sleep(0.1)

    def _call(self, number: int) -> None:
        while not self.stopping.is_set():
            try:
                self._once(stream=number == 0)
            except (openai.OpenAIError, httpx2.HTTPError) as error:
                self.failed.append(type(error).__name__)
                time.sleep(0.1)

    def _once(self, *, stream: bool) -> None:
        chat = self.client.chat.completions.with_raw_response
        asked = {
            "model": "smollm2-135m-instruct",
            "messages": [{"role": "user", "content": "Count."}],
            "max_tokens": 8,
        }
        if not stream:
            answer = chat.create(**asked)  # type: ignore[arg-type]
            answer.parse()
            self.answered.add(answer.headers["x-request-id"])
            return
        with self.client.chat.completions.with_streaming_response.create(
            **asked,
            stream=True,  # type: ignore[arg-type]
        ) as answer:
            text = "".join(answer.iter_text())
            if text.rstrip().endswith("data: [DONE]"):
                self.answered.add(answer.headers["x-request-id"])
            else:
                self.failed.append("CutShort")


def test_takes_the_tour(stack: Running) -> None:
    done = stack.tour()

    assert done.returncode == 0, done.stdout + done.stderr
    assert "13/13" in done.stdout


PAGES = [
    "/",
    "/home/",
    "/models/",
    "/models/smollm2-135m-instruct/",
    "/sites/",
    "/sites/daegu-1/",
    "/endpoints/",
    "/endpoints/new/",
    "/keys/",
    "/keys/new/",
    "/usage/",
    "/budget/",
    "/budget/new/",
    "/invoices/",
    "/members/",
    "/audit/",
    "/operator/",
    "/_gallery/",
    "/outbox/",
    "/api/docs/",
]


USED: set[str] = set()


def fresh_code(secret: str) -> str:
    """A code that was not used yet: the product takes none twice."""
    while (code := code_at(secret, time.time())) in USED:
        time.sleep(1)
    USED.add(code)
    return code


@pytest.mark.browser
@pytest.mark.skipif(shutil.which("chromium") is None, reason="no Chromium on this machine")
@pytest.mark.parametrize("width", [1440, 360])
def test_pages_fit_and_keep_the_security_policy(stack: Running, width: int) -> None:
    env = stack.program_env()
    complaints: list[str] = []
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"))
        page = chromium.new_context(viewport={"width": width, "height": 900}).new_page()
        page.on("console", lambda said: complaints.append(f"{page.url}: {said.text}"))
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.goto(f"{env['DURE_WEB_ORIGIN']}/accounts/login/")
        page.fill("input[name=login]", "operator@dure.example")
        page.fill("input[name=password]", env["DURE_DEMO_PASSWORD"])
        page.click("form.form button[type=submit]")
        page.wait_for_url("**/2fa/authenticate/")
        page.fill("input[name=code]", fresh_code(env["DURE_DEMO_TOTP"]))
        page.click("form.form button[type=submit]")
        page.wait_for_url("**/home/")
        for path in PAGES:
            answer = page.goto(env["DURE_WEB_ORIGIN"] + path)
            assert answer is not None and answer.status == 200, path
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= width, f"{path} is {wide} px wide"
        chromium.close()
    assert complaints == []


@pytest.fixture(scope="module")
def secret(stack: Running) -> str:
    made = stack.manage(MAKE_CUSTOMER)
    time.sleep(1.5)  # published within a second
    return str(made)


def _engine_of(stack: Running) -> int:
    site = stack.pid("site-daegu-1")
    children = Path(f"/proc/{site}/task/{site}/children").read_text().split()
    return int(children[0])


@pytest.mark.parametrize("victim", ["gateway", "worker", "intake", "engine", "site-daegu-1"])
def test_keeps_the_books_right_when_killed(stack: Running, secret: str, victim: str) -> None:
    with Callers(stack, secret) as callers:
        callers.wait_for(3)
        if victim == "engine":
            os.kill(_engine_of(stack), signal.SIGKILL)
        else:
            stack.kill(victim)
        time.sleep(2.0)
        stack.wait_until_up()
        callers.wait_for(len(callers.answered) + 3)
    answered = callers.answered

    deadline = time.monotonic() + 100  # a lapsed lease takes up to 60 s
    while True:
        ids, ledger_spent, counter_spent, held = stack.manage(COUNT)  # type: ignore[misc]
        if held == 0 and answered <= set(ids) and ledger_spent == counter_spent:
            break
        assert time.monotonic() < deadline, (
            f"held {held}, missing {answered - set(ids)}, {ledger_spent} != {counter_spent}"
        )
        time.sleep(2)
    assert len(ids) == len(set(ids))
    print(f"{victim}: {len(answered)} answered, {len(callers.failed)} failed {set(callers.failed)}")


def test_names_the_step_that_fails(stack: Running) -> None:
    stack.halt("gateway")

    done = stack.tour()

    assert done.returncode == 1
    assert "The tour failed at “Models at the gateway”" in done.stderr
