"""The tour: the main job once, over the product's own pages and APIs and nothing else.

Each step prints what really came back. The first that fails is named, and the exit code is 1.
Addresses come from DURE_WEB_ORIGIN and DURE_GATEWAY_URL.
"""

from __future__ import annotations

import html
import os
import re
import secrets
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx2
import openai

MODEL = "smollm2-135m-instruct"
EMBEDDER = "multilingual-e5-small"
WAIT_SECONDS = 90.0
RUN_SECONDS = 9.0  # below it, the cheapest card costs less than half a won: nothing to bill


class TourFailed(Exception):
    """A step did not do what it should. The sentence says what came instead."""


def say(text: str) -> None:
    """A line for the reader."""
    print(f"   {text}", flush=True)


def _errors(text: str) -> str:
    """The sentences of a refused form."""
    found = re.findall(r'<ul class="errorlist"[^>]*>(.*?)</ul>', text, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", one).strip() for one in found)[:300]


def made_up_number() -> str:
    """A business number with a right check digit that belongs to nobody we know."""
    digits = [
        int(one) for one in f"{secrets.randbelow(900) + 100}86{secrets.randbelow(10_000):04d}"
    ]
    weights = (1, 3, 7, 1, 3, 7, 1, 3, 5)
    total = sum(a * b for a, b in zip(digits, weights, strict=True)) + digits[8] * 5 // 10
    return "".join(map(str, digits)) + str((10 - total % 10) % 10)


def _form_with(text: str, fields: Iterable[str]) -> str:
    """The one form of a page that asks for these fields; a page may have others beside it."""
    for form in re.findall(r"<form\b.*?</form>", text, re.DOTALL):
        if all(f'name="{name}"' in form for name in fields):
            return str(form)
    return text


class Tour:
    """One customer's way through the product."""

    def __init__(self, web: str, gateway: str, folder: Path) -> None:
        self.gateway = gateway
        self.folder = folder
        self.pages = httpx2.Client(
            base_url=web, timeout=30, follow_redirects=True, headers={"Accept-Language": "en"}
        )
        self.mark = secrets.token_hex(3)
        self.email = f"tour-{self.mark}@example.com"
        self.secret = ""
        self.project = ""
        self.endpoint: dict[str, Any] = {}
        self.before: dict[str, Any] = {}
        self.ready_at = 0.0

    # What a browser does

    def form(self, path: str, **fields: str) -> httpx2.Response:
        """Open a page, fill in its form, send it."""
        page = self.pages.get(path)
        if page.status_code != 200:
            raise TourFailed(f"{path} answered {page.status_code}")
        sent = self.pages.post(path, data=self._hidden(_form_with(page.text, fields)) | fields)
        if sent.status_code >= 400:
            raise TourFailed(f"{path} answered {sent.status_code}: {_errors(sent.text)}")
        return sent

    def _hidden(self, text: str) -> dict[str, str]:
        found = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text)
        return {name: html.unescape(value) for name, value in found}

    def api(self, method: str, path: str, **options: Any) -> Any:
        """Call the control API as the signed-in member."""
        headers = options.pop("headers", {})
        if method != "GET":
            token = re.search(r'X-CSRFToken": "([^"]+)"', self.pages.get("/home/").text)
            headers |= {
                "X-CSRFToken": token[1] if token else "",
                "Referer": str(self.pages.base_url),
            }
        answer = self.pages.request(method, f"/api/v1/{path}", headers=headers, **options)
        if answer.status_code >= 400:
            raise TourFailed(f"{method} {path} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json() if answer.content else None

    def wait_for(self, what: str, look: Callable[[], Any]) -> Any:
        """Until ``look`` gives something, bounded."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(0.3)
        raise TourFailed(f"{what} did not come within {WAIT_SECONDS:.0f} s")

    # The steps

    def sign_up(self) -> None:
        """Sign up and confirm the address with the code in the local outbox."""
        self.form(
            "/accounts/signup/", name="Tour", email=self.email, password1=secrets.token_urlsafe(14)
        )
        code = self.wait_for("the confirmation mail", self._code)
        done = self.form("/accounts/confirm-email/", code=code)
        say(f"{self.email} · code {code} from the local outbox · now at {done.url.path}")

    def _code(self) -> str:
        page = self.pages.get("/outbox/").text
        mail = re.search(rf'data-mail-to="{re.escape(self.email)}">(.*?)</pre>', page, re.DOTALL)
        found = mail and re.search(r"^\s*([A-Z0-9]{3,4}-[A-Z0-9]{3,4})\s*$", mail[1], re.MULTILINE)
        return found[1] if found else ""

    def organization(self) -> None:
        """Set up an organization with a business number."""
        self.form("/organizations/new/kind/", kind="sme")
        number, name = made_up_number(), f"Tour {self.mark}"
        self.form("/organizations/new/numbers/", name=name, business_number=number)
        page = self.pages.get("/organizations/new/terms/").text
        agreed = re.findall(r'<input type="checkbox" name="([a-z0-9-]+)"', page)
        self.form("/organizations/new/terms/", **dict.fromkeys(agreed, "on"))
        self.form("/organizations/new/project/", data_class="open")
        made = self.api("GET", "organization")
        self.project = self.api("GET", "projects")["data"][0]["id"]
        say(f"{made['name']} · {made['id']} · number {made['business_number']}")
        began = time.monotonic()
        found = self.wait_for("the registry's answer", self._registered)
        took = time.monotonic() - began
        say(f"registration {found['state']} · {found['tax_type']} · {took:.1f} s after sign-up")

    def _registered(self) -> Any:
        found = self.api("GET", "registration")
        return None if found["state"] == "pending_registry" else found

    def budget_from_the_start(self) -> None:
        """A hard cap holds from the first minute; raise it for the endpoint to come."""
        budget = self.api("GET", "budgets")["data"][0]
        self.form(f"/budget/{budget['id']}/change/", limit_won="3000000", because="Tour")
        self.before = self.api("GET", "budgets")["data"][0]
        limits = (budget["limit_won"], self.before["limit_won"])
        say(f"limit ₩{limits[0]:,} from the start, raised to ₩{limits[1]:,}")

    def key(self) -> None:
        """Make an API key; it is shown once."""
        page = self.form(
            "/keys/new/",
            name="tour",
            project=self.project,
            mode="live",
            scopes="inference",
            rpm_limit="600",
            concurrency_limit="16",
        )
        found = re.search(r'<code id="secret">([^<]+)</code>', page.text)
        if found is None:
            raise TourFailed("the page shows no key")
        self.secret = found[1]
        say(f"{self.secret.rsplit('_', 1)[0]}_… · {len(self.secret)} characters, shown once")

    def order(self) -> None:
        """Order an endpoint in a region, with the price beforehand, and watch it come up."""
        wish = {"name": f"tour-{self.mark}", "project": self.project, "model": MODEL}
        # Right after a start the sites have not been seen yet.
        region = self.wait_for("a site with a free card", lambda: self._region_with_room(wish))
        wish["region"] = region
        price = self.api("POST", "endpoints?estimate=true", json=wish)
        say(f"estimate: ₩{price['won_per_hour']:,} an hour on {price['chip']} at {price['sites']}")
        idempotency = {"Idempotency-Key": f"tour-{self.mark}-1"}
        order = self.api("POST", "endpoints", json=wish, headers=dict(idempotency))
        again = self.api("POST", "endpoints", json=wish, headers=dict(idempotency))
        if order["id"] != again["id"]:
            raise TourFailed("the same Idempotency-Key ordered twice")
        began = time.monotonic()
        self.endpoint = self.wait_for("the endpoint", lambda: self._ready(order["endpoint"]))
        self.ready_at = time.monotonic()
        replica = self.endpoint["replicas"][0]
        say(
            f"{self.endpoint['id']} ready at {replica['site']} on {', '.join(replica['cards'])} "
            f"after {time.monotonic() - began:.1f} s (simulated cards, real engine)"
        )

    def _region_with_room(self, wish: dict[str, str]) -> str:
        for site in self.api("GET", "sites")["data"]:
            body = wish | {"region": site["region"]}
            token = re.search(r'X-CSRFToken": "([^"]+)"', self.pages.get("/home/").text)
            answer = self.pages.post(
                "/api/v1/endpoints?estimate=true",
                json=body,
                headers={
                    "X-CSRFToken": token[1] if token else "",
                    "Referer": str(self.pages.base_url),
                },
            )
            if answer.status_code == 200:
                return str(site["region"])
        return ""

    def _ready(self, endpoint: str) -> dict[str, Any] | None:
        shown: dict[str, Any] = self.api("GET", f"endpoints/{endpoint}")
        return shown if shown["status"] == "ready" else None

    def _client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.gateway}/v1", api_key=self.secret, max_retries=0)

    def models(self) -> None:
        """The gateway lists what the key may use, the new endpoint among it."""
        client = self._client()
        wanted = {self.endpoint["name"], MODEL, EMBEDDER}

        def look() -> list[str]:
            """All names, once a site answers for each that is needed: replicas may be starting."""
            try:
                found = list(client.models.list())
            except openai.AuthenticationError:
                return []  # the key is published within a second
            up = {model.id for model in found if model.to_dict().get("sites")}
            return [model.id for model in found] if wanted <= up else []

        say(", ".join(self.wait_for("a site that answers for each model", look)))

    def stream(self) -> None:
        """Stream an answer with the official client: first from the shared endpoint."""
        self._stream(MODEL, "Name three uses of a village well.")

    def own_endpoint(self) -> None:
        """The same call to the endpoint of one's own: only the model's name is another."""
        self._stream(self.endpoint["name"], "Say hello to a neighbour in one sentence.")

    def _stream(self, model: str, prompt: str) -> None:
        began, first, words, usage = time.monotonic(), 0.0, "", None
        stream = self._client().chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": prompt}],
            max_tokens=48,
            stream=True,
            stream_options={"include_usage": True},
        )
        for chunk in stream:
            if chunk.choices and chunk.choices[0].delta.content:
                first = first or time.monotonic() - began
                words += chunk.choices[0].delta.content
            usage = chunk.usage or usage
        if usage is None or not words:
            raise TourFailed("the stream brought no words or no usage")
        speed = usage.completion_tokens / max(0.001, time.monotonic() - began - first)
        say(f"“{' '.join(words.split())}”")
        say(
            f"first token {first:.2f} s · {speed:.0f} tokens/s · "
            f"{usage.prompt_tokens} in, {usage.completion_tokens} out"
        )

    def embeddings(self) -> None:
        """Korean sentences become vectors."""
        answer = self._client().embeddings.create(
            model=EMBEDDER, input=["대구의 공장", "광주의 병원"]
        )
        length, tokens = len(answer.data[0].embedding), answer.usage.total_tokens
        say(f"{len(answer.data)} vectors of {length}, {tokens} tokens")

    def usage(self) -> None:
        """Three answered requests are three ledger entries, priced."""
        found = self.wait_for("the ledger entries", self._usage)
        for row in found["data"]:
            say(
                f"{row['name']}: {row['requests']} requests, {row['tokens_in']} in, "
                f"{row['tokens_out']} out, ₩{row['cost_micro_won'] / 1e6:.6f}"
            )

    def _usage(self) -> dict[str, Any] | None:
        found: dict[str, Any] = self.api("GET", "usage")
        return found if found["total"]["requests"] == 3 else None

    def budget(self) -> None:
        """The budget shows what was spent, set aside and held."""
        after = self.api("GET", "budgets")["data"][0]
        spent, aside, held = after["spent_won"], after["committed_won"], after["held_won"]
        before, left = float(self.before["left_won"]), float(after["left_won"])
        say(f"left before ₩{before:,.0f}, now ₩{left:,.6f}")
        say(f"spent ₩{spent} · set aside ₩{aside} · held ₩{held}")
        if float(after["spent_won"]) <= 0:
            raise TourFailed("nothing was taken off the budget")
        if float(after["held_won"]) != 0:
            raise TourFailed(f"₩{after['held_won']} are still held though nothing runs")

    def stop(self) -> None:
        """Stop the endpoint: the charging ends."""
        time.sleep(max(0.0, self.ready_at + RUN_SECONDS - time.monotonic()))
        self.form_stop()
        self.wait_for("the stop", lambda: self._stopped())
        say(f"{self.endpoint['name']} stopped; its cards are free again")

    def form_stop(self) -> None:
        """The page's own form, with the name typed."""
        path = f"/endpoints/{self.endpoint['id']}/"
        page = self.pages.get(path)
        token = self._hidden(page.text)
        sent = self.pages.post(f"{path}stop/", data=token | {"name": self.endpoint["name"]})
        if sent.status_code >= 400:
            raise TourFailed(f"stopping answered {sent.status_code}")

    def _stopped(self) -> bool:
        return bool(self.api("GET", f"endpoints/{self.endpoint['id']}")["status"] == "stopped")

    def invoice(self) -> None:
        """An interim invoice with a number, VAT and a PDF."""
        made = self.api("POST", "invoices/interim")
        if made is None:
            raise TourFailed("there was nothing to bill")
        pdf = self.pages.get(f"/invoices/{made['id']}/pdf/")
        if not pdf.content.startswith(b"%PDF"):
            raise TourFailed("the PDF is none")
        path = self.folder / f"dure-{made['number']}.pdf"
        path.write_bytes(pdf.content)
        for line in made["lines"]:
            say(f"{line['text_en']}: {line['quantity']:,} {line['unit']} · ₩{line['amount_won']:,}")
        say(
            f"{made['number']} · supply ₩{made['supply_won']:,} + VAT ₩{made['vat_won']:,} = "
            f"₩{made['total_won']:,} · {path} ({len(pdf.content):,} bytes)"
        )

    def steps(self) -> list[tuple[str, Callable[[], None]]]:
        """The way, in order."""
        return [
            ("Sign up", self.sign_up),
            ("Organization", self.organization),
            ("Budget from the start", self.budget_from_the_start),
            ("API key", self.key),
            ("Order an endpoint", self.order),
            ("Models at the gateway", self.models),
            ("Stream from the shared endpoint", self.stream),
            ("Call the endpoint of one's own", self.own_endpoint),
            ("Embeddings", self.embeddings),
            ("Usage in the ledger", self.usage),
            ("Budget", self.budget),
            ("Stop the endpoint", self.stop),
            ("Interim invoice", self.invoice),
        ]


def main() -> int:
    """0 after the last step; 1 at the first that fails, with its name."""
    web = os.environ["DURE_WEB_ORIGIN"]
    gateway = os.environ["DURE_GATEWAY_URL"]
    folder = Path(os.environ.get("DURE_DATA_DIR", ".")) / "tour"
    folder.mkdir(parents=True, exist_ok=True)
    tour = Tour(web, gateway, folder)
    steps = tour.steps()
    began = time.monotonic()
    for number, (name, step) in enumerate(steps, start=1):
        print(f"{number:2}/{len(steps)} {name}", flush=True)
        try:
            step()
        except (TourFailed, httpx2.HTTPError, openai.OpenAIError, KeyError, IndexError) as error:
            print(
                f"\nThe tour failed at “{name}”: {type(error).__name__}: {error}", file=sys.stderr
            )
            return 1
    print(f"The tour took {time.monotonic() - began:.1f} s.", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
