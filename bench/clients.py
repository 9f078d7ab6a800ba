"""Official clients, unchanged, against a gateway: calls and results as a table.

``python -m bench.clients``: openai for Python, openai for Node, LangChain, and plain HTTP for what
no client of OpenAI speaks. The clients that are not among the project's own packages are installed
into a cache folder of the user's, once; what cannot be installed is left out and said so.
``--url … --key … --model … --embedding …`` asks a gateway that runs already (the embedded stack,
say); calls that need keys of their own are left out then.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.front import Front
from tests.gateway.world import target

FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dure" / "clients"
NODE_PACKAGE = "openai@6.49.0"
LANGCHAIN_PACKAGE = "langchain-openai==1.7.4"
HERE = Path(__file__).parent
CALL_SECONDS = 300
LEFT_OUT = "–"


@dataclass(frozen=True)
class Client:
    """One column of the table, and the program that fills it."""

    name: str
    command: tuple[str, ...] | None  # None: it is not here
    because: str = ""


def _run_by(python: str, script: str) -> tuple[str, ...]:
    """Without its own folder on the path: modules of ours are called as theirs are (requests)."""
    return (python, "-P", str(HERE / script))


def python() -> Client:
    return Client("openai-python", _run_by(sys.executable, "clients_openai.py"))


def node() -> Client:
    """``npm install`` once, outside the repository."""
    name, program = "openai-node", shutil.which("node")
    if program is None or shutil.which("npm") is None:
        return Client(name, None, "node or npm is missing on this machine")
    place = FOLDER / "node"
    if not (place / "node_modules" / "openai").exists():
        place.mkdir(parents=True, exist_ok=True)
        command = ("npm", "install", "--no-audit", "--no-fund", "--prefix", str(place))
        if not _ran(*command, NODE_PACKAGE):
            return Client(name, None, f"{NODE_PACKAGE} could not be installed")
    shutil.copy(HERE / "clients.mjs", place)  # beside its packages, where node looks for them
    return Client(name, (program, str(place / "clients.mjs")))


def langchain() -> Client:
    """A virtual environment of its own, outside the repository."""
    name, place = "langchain", FOLDER / "langchain"
    program = place / "bin" / "python"
    if not (place / "bin" / "openai").exists():
        made = _ran(sys.executable, "-m", "venv", str(place))
        if not made or not _ran(str(program), "-m", "pip", "install", "-q", LANGCHAIN_PACKAGE):
            return Client(name, None, f"{LANGCHAIN_PACKAGE} could not be installed")
    return Client(name, _run_by(str(program), "clients_langchain.py"))


def plain() -> Client:
    return Client("plain-http", _run_by(sys.executable, "clients_plain.py"))


CLIENTS = {"python": python, "node": node, "langchain": langchain, "plain": plain}


def _ran(*command: str) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        print(done.stderr[-1000:], file=sys.stderr)
    return done.returncode == 0


def results(client: Client, where: dict[str, str]) -> Iterator[tuple[str, str]]:
    """(call, ``ok`` or what went wrong), as the client's program tells them, a line each."""
    if client.command is None:
        return
    done = subprocess.run(
        client.command,
        env=os.environ | where,
        capture_output=True,
        text=True,
        timeout=CALL_SECONDS,
        check=False,
    )
    for line in done.stdout.splitlines():
        one = json.loads(line)
        yield one["call"], one["said"]
    if done.returncode:
        yield "(ran to its end)", done.stderr.strip()[-300:]


def table(found: dict[str, dict[str, str]], names: list[str]) -> list[str]:
    """Calls down, clients across."""
    calls = list(dict.fromkeys(call for column in found.values() for call in column))
    wide = max(len(call) for call in calls)
    lines = [f"{'call':{wide}}  " + "  ".join(f"{name:13}" for name in names)]
    for call in calls:
        said = [found[name].get(call, LEFT_OUT) for name in names]
        cells = [one if one in ("ok", LEFT_OUT) else "FAILS" for one in said]
        lines.append(f"{call:{wide}}  " + "  ".join(f"{cell:13}" for cell in cells))
    return lines


def our_own(front: Front) -> dict[str, str]:
    """Where the clients go: a gateway with keys that meet each limit."""
    world, engine = front.world, front.engine
    world.endpoint("caller", target("caller", engine, "tools"))
    world.endpoint("slow", target("slow", engine, "slow"))
    world.endpoint("long", target("long", engine, "long"))
    world.endpoint("full", target("full", engine, "refuse"))
    front.publish()
    return {
        "DURE_CLIENTS_URL": front.gateways[0].url,
        "DURE_CLIENTS_KEY": world.key,
        "DURE_CLIENTS_SPENT_KEY": front.another_key("spent", 1),
        "DURE_CLIENTS_BUSY_KEY": front.another_key("busy", concurrency=1),
        "DURE_CLIENTS_CLOSED_KEY": front.another_key("closed", inference=False),
        "DURE_CLIENTS_MODEL": "smollm2",
        "DURE_CLIENTS_CALLER": "caller",
        "DURE_CLIENTS_EMBEDDING": "e5",
    }


def ask(names: list[str], where: dict[str, str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name in names:
        client = CLIENTS[name]()
        if client.command is None:
            print(f"left out: {client.name}, because {client.because}")
            continue
        found[client.name] = dict(results(client, where))
    return found


def report(found: dict[str, dict[str, str]]) -> int:
    names = list(found)
    print("\n".join(table(found, names)))
    said = [
        (name, call, one)
        for name in names
        for call, one in found[name].items()
        if one not in ("ok", LEFT_OUT)
    ]
    for name, call, one in said:
        print(f"fails {name}, {call}: {one[:300]}")
    count = sum(one == "ok" for column in found.values() for one in column.values())
    print(f"figure clients_calls_ok {count}\nfigure clients_calls_failed {len(said)}")
    return int(bool(said))


def main() -> int:
    """Exit code 1 if any call failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=CLIENTS, nargs="+", default=list(CLIENTS))
    parser.add_argument("--url", help="a gateway that runs already, without /v1")
    parser.add_argument("--key", help="a key for it; else DURE_CLIENTS_KEY of the environment")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--embedding", default="e5")
    given = parser.parse_args()
    if given.url is None:
        with Front() as front:
            return report(ask(given.only, our_own(front)))
    where = {
        "DURE_CLIENTS_URL": given.url,
        "DURE_CLIENTS_KEY": given.key or os.environ["DURE_CLIENTS_KEY"],
        "DURE_CLIENTS_MODEL": given.model,
        "DURE_CLIENTS_CALLER": given.model,
        "DURE_CLIENTS_EMBEDDING": given.embedding,
    }
    return report(ask(given.only, where))


if __name__ == "__main__":
    sys.exit(main())
