"""The gateway's speed, beside nginx as a plain proxy and LiteLLM with limits.

``python -m bench.gateway [--rounds 3] [--quick]``. All stand in front of the same engine and are
loaded in turn, round by round, by the same clients; the process under test has a core of its own,
everything else shares another. CPU is what the kernel booked for the process and its children, so
that a slow client or engine does not change it. The gateway does all it does in production: key,
hold in four budgets, choice, relay, count, journal, settle, with every write of its Valkey
flushed; nginx only forwards.

Printed: ``figure <name> <median> <unit> [min-max]`` with what was promised, what the figures are
made of, the machine, and errors (0). Exit code 1 if a bound is broken or anything went wrong,
2 if nothing can be measured here. ``--quick`` is small: it shows that all of it works, its
figures mean nothing and are not judged.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import re
import subprocess
import sys
import sysconfig
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from bench import gateway_figures, gateway_litellm, gateway_rounds
from bench.gateway_figures import Found
from bench.gateway_programs import (
    Place,
    allow_connections,
    end_on_signals,
    load_core,
    start_gateway,
    start_nginx,
    start_store,
    start_upstream,
)
from bench.gateway_rounds import QUICK, Bench, Scale
from bench.load import NoCompiler, Tools
from deploy.local import valkey

ROOT = Path(__file__).resolve().parent.parent
WITH_NGINX = tuple(one.name for one in gateway_figures.TABLE if one.name.endswith("_vs_nginx"))
INTAKE = "intake_events_per_s"
SPARE_FILES = 500
BUSY = 0.5  # load average of a machine that is not left alone


def describe() -> None:
    """The machine, and what was measured in which version."""
    text = Path("/proc/cpuinfo").read_text()
    model = re.search(r"model name\s*: (.*)", text)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(
        f"machine {os.cpu_count()} cores, {model.group(1) if model else platform.machine()}, "
        f"{memory:.0f} GB, Linux {platform.release()}, load {os.getloadavg()[0]:.2f}"
    )
    if os.getloadavg()[0] > BUSY:
        print("machine is busy with other work: times are worse than they would be")
    packages = ", ".join(f"{name} {version(name)}" for name in ("uvloop", "httptools", "msgspec"))
    built = "" if _optimised() else " (compiled without a profile: slower by a tenth to a fifth)"
    print(f"versions Python {platform.python_version()}{built}, {packages}")
    print(f"versions {_said([valkey.binary(), '--version'])}; commit {_commit()}")


def _optimised() -> bool:
    """Whether this interpreter was compiled with a profile, as distributions compile theirs."""
    return "profile-use" in (sysconfig.get_config_var("PY_CORE_CFLAGS") or "")


def _said(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout + done.stderr).strip()


def _commit() -> str:
    said = _said(["git", "-C", str(ROOT), "describe", "--always", "--dirty"])
    return said.splitlines()[0] if said else "unknown"


def assemble(place: Place, found: Found, scale: Scale) -> Bench:
    """Everything started, in front of one engine."""
    direct = start_upstream(place)
    store = start_store(place)
    world = store.world(0, place.upstream)
    place.stack.callback(world.close)
    gateway = start_gateway(place.folder / "gateway", world)
    place.stack.callback(gateway.process.stop)
    nginx = start_nginx(place)
    if nginx is None:
        found.skip("nginx is not installed (Debian: apt install nginx-light)", *WITH_NGINX)
    because = "a quick run leaves it out" if not scale.litellm_requests else ""
    because = because or gateway_litellm.missing()
    if because:
        found.skip(because, "gw_rps_vs_litellm")
    litellm = None if because else gateway_litellm.start(place)
    if litellm:
        print(f"versions LiteLLM {gateway_litellm.version()} as litellm-redis: no database")
    return Bench(place, store, found, scale, direct, nginx, litellm, gateway)


def intake(found: Found, *, quick: bool) -> None:
    """A benchmark of its own, with a PostgreSQL of its own."""
    if quick or importlib.util.find_spec("bench.intake") is None:
        found.skip("a quick run leaves it out" if quick else "there is no bench.intake", INTAKE)
        return
    done = subprocess.run(
        [sys.executable, "-m", "bench.intake"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    values = re.findall(
        rf"^figure {INTAKE} ([0-9.]+).*?(?:\[([0-9.]+)-([0-9.]+)\])?$", done.stdout, re.M
    )
    if done.returncode or not values:
        found.wrong(f"bench.intake failed: {(done.stdout + done.stderr)[-500:]}")
    for middle, least, most in values:
        for one in (least or middle, middle, most or middle):
            found.note(INTAKE, float(one))


def conclude(found: Found, *, quick: bool) -> int:
    gateway_figures.details(found)
    broken = gateway_figures.report(found)
    print(f"errors {len(found.errors)}")
    for sentence in found.errors:
        print(f"  {sentence}")
    if quick:
        print("quick: the figures above mean nothing; only errors count")
        return int(bool(found.errors))
    if broken:
        print(f"broken: {', '.join(broken)}")
    return int(bool(broken or found.errors))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a test of the harness")
    arguments = parser.parse_args()
    found = Found()
    end_on_signals()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dure-bench-")))
        try:
            tools = Tools.build(folder, load_core)
        except NoCompiler as error:
            print(f"the load generator cannot be built ({error}). Install gcc and libc6-dev.")
            return 2
        describe()
        load_core(os.getpid())
        scale = QUICK if arguments.quick else Scale()
        allowed = allow_connections() - SPARE_FILES
        if allowed < scale.overload_clients:
            print(f"machine allows {allowed} connections: so many clients overload the gateway")
            scale = replace(scale, overload_clients=allowed)
        bench = assemble(Place(folder, stack, tools), found, scale)
        gateway_rounds.warm(bench)
        for _ in range(1 if arguments.quick else arguments.rounds):
            gateway_rounds.one_round(bench)
    intake(found, quick=arguments.quick)
    return conclude(found, quick=arguments.quick)


if __name__ == "__main__":
    sys.exit(main())
