"""What runs inside a Ray cluster, without Ray: the child process, the relay, the agent's book."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from portal.fleet.serving import child
from portal.fleet.serving.book import Book, Counts, Note
from portal.fleet.serving.child import Child, EngineFailed, EngineSettings
from portal.fleet.serving.counting import counters
from portal.fleet.serving.digests import digest_of
from portal.fleet.serving.relay import Relay

SERVER = Path(__file__).resolve().parents[1] / "ray" / "bin" / "llama-server"
ASKED = b"the customer's"


def settings(folder: Path, **changes: Any) -> EngineSettings:
    weights = folder / "weights.gguf"
    weights.write_text("weights")
    fields: dict[str, Any] = {
        "placement": "plc_1",
        "epoch": 1,
        "argv": (
            *(sys.executable, "-S", str(SERVER), "--model", str(weights)),
            *("--host", "127.0.0.1", "--port", "{port}"),
        ),
        "env": {"FAKE_ENGINE_PAUSE": "0.01"},
        "credential_env": "LLAMA_API_KEY",
        "credential_sha256": hashlib.sha256(ASKED).hexdigest(),
        "startup_seconds": 60,
    }
    return EngineSettings(**fields | changes)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Child]:
    lines: list[str] = []
    one = Child(settings(tmp_path), lines.append)
    one.lines = lines  # type: ignore[attr-defined]
    await one.start()
    yield one
    await one.stop()


class Client:
    """One request of an ASGI server's, which may leave after the first bytes of the answer."""

    def __init__(self, path: str, body: Any, *, token: bytes = ASKED, leaves: bool = False) -> None:
        self.scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "root_path": "/plc_1",
            "headers": [
                (b"authorization", b"Bearer " + token),
                (b"content-type", b"application/json"),
            ],
        }
        self.body = json.dumps(body).encode()
        self.leaves = leaves
        self.sent: list[dict[str, Any]] = []
        self.gone = asyncio.Event()
        self.began = asyncio.Event()
        self.asked = False

    async def receive(self) -> dict[str, Any]:
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if message.get("body"):
            self.began.set()
            if self.leaves:
                self.gone.set()

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def text(self) -> str:
        return b"".join(one.get("body", b"") for one in self.sent).decode()


def asked(**changes: Any) -> dict[str, Any]:
    return {"stream": True, "messages": [{"role": "user", "content": "hi"}]} | changes


async def opened(engine: Child) -> dict[str, int]:
    async with httpx2.AsyncClient() as client:
        headers = {"authorization": f"Bearer {engine.credential}"}
        answer = await client.post(engine.url + "/v1/open", json={}, headers=headers)
    return dict(answer.json())


async def test_streams_bytes_as_they_come(engine: Child) -> None:
    relay = Relay(engine.url, engine.credential, engine.settings.credential_sha256)
    client = Client("/plc_1/v1/chat/completions", asked(max_tokens=4))

    await relay.answer(client.scope, client.receive, client.send)

    assert client.status == 200
    assert (b"content-type", b"text/event-stream") in client.sent[0]["headers"]
    assert client.text.count("data: ") == 5
    assert len([one for one in client.sent if one.get("body")]) > 1
    await relay.close()


async def test_a_client_that_leaves_stops_the_engine(engine: Child) -> None:
    relay = Relay(engine.url, engine.credential, engine.settings.credential_sha256)
    client = Client("/v1/chat/completions", asked(max_tokens=100_000), leaves=True)

    await relay.answer(client.scope, client.receive, client.send)

    assert not client.sent[-1]["body"].endswith(b"[DONE]\n\n")
    for _ in range(500):
        found = await opened(engine)
        if found == {"streams": 0, "left": 1}:
            break
        await asyncio.sleep(0.01)
    assert found == {"streams": 0, "left": 1}
    await relay.close()


@pytest.mark.parametrize(
    ("path", "token", "status", "code"),
    [
        ("/plc_1/v1/chat/completions", b"another's", 401, "invalid_credential"),
        ("/plc_1/metrics", ASKED, 404, "not_found"),
        ("/plc_1/v1/chat/completions", ASKED, 503, "engine_unavailable"),
    ],
)
async def test_refuses_in_openai_s_words(path: str, token: bytes, status: int, code: str) -> None:
    relay = Relay("http://127.0.0.1:9", "minted", hashlib.sha256(ASKED).hexdigest())
    client = Client(path, asked(), token=token)

    await relay.answer(client.scope, client.receive, client.send)

    assert client.status == status
    assert json.loads(client.text)["error"]["code"] == code
    await relay.close()


async def test_an_answer_cut_short_does_not_end_as_if_complete(engine: Child) -> None:
    relay = Relay(engine.url, engine.credential, engine.settings.credential_sha256)
    client = Client("/v1/chat/completions", asked(max_tokens=100_000))
    answering = asyncio.create_task(relay.answer(client.scope, client.receive, client.send))
    await asyncio.wait_for(client.began.wait(), 20)

    await engine.stop()

    with pytest.raises(httpx2.HTTPError):
        await answering
    assert client.sent[-1]["more_body"]
    await relay.close()


async def test_an_engine_s_log_never_shows_its_credential(engine: Child) -> None:
    await engine.stop()  # all is read then
    lines: list[str] = engine.lines  # type: ignore[attr-defined]

    assert any("key …" in line for line in lines)
    assert not any(engine.credential in line for line in lines)


async def test_says_how_a_server_ended(engine: Child) -> None:
    async with httpx2.AsyncClient() as client:
        await engine.check(client)
        body = asked(messages=[{"role": "user", "content": "die"}])
        headers = {"authorization": f"Bearer {engine.credential}"}
        with pytest.raises(httpx2.HTTPError):
            await client.post(engine.url + "/v1/chat/completions", json=body, headers=headers)

        assert str(await engine.ended()) == "The server ended with exit code 3."
        with pytest.raises(EngineFailed, match="exit code 3"):
            await engine.check(client)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"argv": ("/no/such/server",)}, "exit code 127"),
        ({"argv": (sys.executable, "-c", "raise SystemExit(7)")}, "exit code 7"),
        (
            {"argv": (sys.executable, "-c", "input()"), "startup_seconds": 0},
            "not ready within|exit code",
        ),
    ],
)
async def test_says_why_a_server_did_not_start(
    tmp_path: Path, changes: dict[str, Any], sentence: str
) -> None:
    one = Child(settings(tmp_path, **changes), lambda _: None)

    with pytest.raises(EngineFailed, match=sentence):
        await one.start()

    assert one._process is not None
    assert one._process.returncode is not None


def test_a_server_dies_with_whoever_started_it(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    server = (
        "import os, pathlib, subprocess, sys, time\n"
        "other = subprocess.Popen(['sleep', '600'])\n"
        f"pathlib.Path({str(told)!r}).write_text(f'{{os.getpid()}} {{other.pid}}')\n"
        "time.sleep(600)\n"
    )
    owner = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, {str(child.LEASH)!r}, sys.executable, '-c',"
        f" {server!r}], stdin=subprocess.PIPE)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", owner])
    try:
        while not told.exists() or not told.read_text():
            time.sleep(0.02)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    for pid in map(int, told.read_text().split()):
        for _ in range(1000):
            if not _lives(pid):
                break
            time.sleep(0.02)
        assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


def test_gives_a_server_its_cards_and_no_token() -> None:
    outer = {"PATH": "/bin", "RAY_AUTH_TOKEN": "secret", "RBLN_DEVICES": "2,3", "DURE_X": "1"}

    assert child.environment(outer) == {"PATH": "/bin", "RBLN_VISIBLE_DEVICES": "2,3"}
    assert child.devices(outer) == (2, 3)
    assert child.devices({"FURIOSA_DEVICES": "npu:0,npu:3"}) == (0, 3)
    assert child.devices(dict(os.environ)) == ()


def note(number: int, **changes: Any) -> Note:
    fields: dict[str, Any] = {"placement": "plc_1", "epoch": 1, "replica": f"r{number}"}
    return Note(**fields | changes)


def test_the_book_keeps_lines_of_engines_that_have_ended() -> None:
    book = Book()
    book.want(["plc_1"])
    for _ in range(2):  # the second time because the first answer was lost
        book.take(note(1, starts=2, lines=((5, "one"), (6, "two"))), now=0.0)
    book.take(note(1, starts=2, first=1, lines=((6, "two"),)), now=0.1)
    book.take(
        note(2, lines=((7, "three"),), counts=Counts(since_ms=1, tokens_in=2, tokens_out=3)),
        now=60.0,
    )

    assert [line["number"] for line in book.page("plc_1", 0)["lines"]] == [1, 2, 3]
    assert [line["text"] for line in book.page("plc_1", 2)["lines"]] == ["three"]
    assert book.page("plc_1", 2)["next"] == 3
    assert book.page("plc_9", 4) == {"lines": [], "next": 4}
    (engine,) = book.report(now=60.0)["engines"]
    assert engine["note"]["replica"] == "r2"
    assert engine["restarts"] == 2
    assert "lines" in engine["note"] and not engine["note"]["lines"]


def test_the_book_is_bounded() -> None:
    book = Book()
    for number in range(600):
        book.take(note(number, placement=f"plc_{number}", lines=((1, "x"),)), now=float(number))

    assert len(book.logs) == 500
    assert not book.starts  # nothing of it is wanted


def test_a_placement_that_comes_back_was_not_restarted() -> None:
    book = Book()
    book.want(["plc_1"])
    book.take(note(1), now=0.0)
    book.want([])
    book.take(note(1, state="failed"), now=0.5)  # still ending

    book.want(["plc_1"])
    book.take(note(2), now=60.0)

    assert [one["restarts"] for one in book.report(now=60.0)["engines"]] == [0]


def test_reads_the_counters_of_each_server() -> None:
    page = (
        '# HELP x\nvllm:prompt_tokens_total{model_name="m"} 12.0\n'
        'vllm:request_success_total{finished_reason="stop"} 2\n'
        'vllm:request_success_total{finished_reason="length"} 3\n'
        "furiosa_llm_generation_tokens_total nonsense\nllamacpp:tokens_predicted_total 9\n"
    )

    assert counters(page) == {"tokens_in": 12, "requests": 5, "tokens_out": 9}


def test_a_digest_is_of_a_file_or_of_all_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b").write_text("two")
    (tmp_path / "a").write_text("one")
    first = digest_of(str(tmp_path))

    (tmp_path / "deep" / "b").write_text("three")

    assert digest_of(str(tmp_path / "a")) == f"sha256:{hashlib.sha256(b'one').hexdigest()}"
    assert first.startswith("sha256:")
    assert digest_of(str(tmp_path)) != first
    assert digest_of("organization/model") == ""
