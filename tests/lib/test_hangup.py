"""Every driver's calls, and those to addresses that customers type in, end in their whole time,
also where the head of an answer comes byte by byte."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from portal.fleet.drivers import embedded, ray_serve
from portal.fleet.drivers.contract import SiteUnavailable
from portal.fleet.drivers.kubernetes import client as kubernetes
from portal.lib.hangup import Hangup
from tenants import outside


@pytest.fixture
def dribbling() -> Iterator[str]:
    """The address of a server whose heads never end: a byte each twentieth of a second."""
    over = threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(0.1)

    def serve(one: socket.socket) -> None:
        with one:
            try:
                one.sendall(b"HTTP/1.1 200 OK\r\nx-never: ")
                while not over.wait(0.05):
                    one.sendall(b"a")
            except OSError:
                return

    def accept() -> None:
        while not over.is_set():
            try:
                one, _ = listening.accept()
            except TimeoutError:
                continue
            threading.Thread(target=serve, args=(one,), daemon=True).start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    over.set()
    accepting.join()
    listening.close()


def _embedded(url: str) -> None:
    embedded.EmbeddedDriver(url, "token").observe()


def _ray(url: str) -> None:
    ray_serve.RayServeDriver(url, "token").observe()


def _kubernetes(url: str) -> None:
    with kubernetes.Client(url, kubernetes.Access("token"), seconds=0.5) as client:
        client.every("Node")


def _outside(url: str) -> None:
    outside.fetch("GET", f"{url}/.well-known/openid-configuration")


@pytest.mark.parametrize("call", [_embedded, _ray, _kubernetes, _outside])
def test_no_head_of_an_answer_holds_a_worker(
    dribbling: str,
    monkeypatch: pytest.MonkeyPatch,
    settings: object,
    call: Callable[[str], None],
) -> None:
    monkeypatch.setattr(embedded, "WHOLE_SECONDS", 0.5)
    monkeypatch.setattr(ray_serve, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(outside, "LONGEST", 0.5)
    settings.DURE_LOOPBACK_ISSUERS = True  # type: ignore[attr-defined]
    found: list[BaseException] = []

    def run() -> None:
        try:
            call(dribbling)
        except (SiteUnavailable, outside.Unreachable) as error:
            found.append(error)

    caller = threading.Thread(target=run, daemon=True)
    caller.start()
    caller.join(20)  # without its whole time the call would never end

    assert not caller.is_alive()
    [error] = found
    assert str(error).endswith(("takes too long.", "too slow.", "오래 걸립니다."))


def test_ends_a_call_that_had_not_reached_anybody_yet() -> None:
    """The time is over while the connection is made: it is ended as soon as there is one."""
    ours, theirs = socket.socketpair()

    class Stream:
        def get_extra_info(self, name: str) -> socket.socket:
            return ours

    with Hangup(0.0) as hangup:
        end = time.monotonic() + 20
        while not hangup.done and time.monotonic() < end:
            time.sleep(0.01)
        hangup.trace("connection.connect_tcp.complete", {"return_value": Stream()})

    assert theirs.recv(1) == b""
    ours.close()
    theirs.close()
