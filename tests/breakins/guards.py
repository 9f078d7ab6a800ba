"""Does each attempt of the break-in list succeed once its guard is taken away?

    python -m tests.breakins.guards            every row; prints what was not caught, and figures
    python -m tests.breakins.guards 3 17       only these
    python -m tests.breakins.guards document   write docs/break-ins.md out of the table

For each row, the cuts are made in a throw-away copy of the source, its test runs there, and must
fail. First all tests run once without a cut, and must pass.
"""

from __future__ import annotations

import itertools
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from tests.breakins.table import ATTEMPTS, FIELDS
from tests.breakins.table.attempt import Attempt, Cut
from tests.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs/break-ins.md"
JOBS = int(os.environ.get("JOBS", "2"))
_moments = itertools.count(int(time.time()))  # of changes: Python looks at whole seconds

HEAD = """# Break-in attempts
Made by `python -m tests.breakins.guards document` from `tests/breakins/table/`; a test compares. \
Each attempt is a test of the plain run. `make breakins` takes each guard out of a copy of the \
source and sees its test fail; where two guards stand one behind the other, it takes both. The \
result of the last run stands in [security.md](security.md).
"""


def document() -> str:
    """The list as a page."""
    numbers = itertools.count(1)
    parts = [HEAD]
    for field, rows in FIELDS.items():
        parts.append(f"## {field}\n| | attempt | guard | test |\n|---|---|---|---|")
        for one in rows:
            guard = one.guard.replace(":", ".")
            behind = f", {len(one.cuts)} cuts" if len(one.cuts) > 1 else ""
            parts.append(f"| {next(numbers)} | {one.what} | `{guard}`{behind} | `{one.test}` |")
        parts.append("")
    return "\n".join(parts)


def copied(folder: Path) -> Path:
    """A copy of what git knows and of the compiled translations."""
    place = folder / f"copy-{len(list(folder.iterdir()))}"
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    names += [str(one.relative_to(ROOT)) for one in (ROOT / "locale").rglob("*.mo")]
    for name in names:
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, place / name)
    return place


@contextmanager
def without(cuts: Sequence[Cut], place: Path) -> Iterator[None]:
    """The guards are gone, for a while."""
    before = {one.path: (place / one.path).read_text() for one in cuts}
    for path, whole in before.items():
        text = whole
        for one in (one for one in cuts if one.path == path):
            if text.count(one.old) != 1:
                raise ValueError(f"{path}: stands {text.count(one.old)} times: {one.old[:60]!r}")
            text = text.replace(one.old, one.new)
        _write(place / path, text)
    try:
        yield
    finally:
        for path, text in before.items():
            _write(place / path, text)


def _write(path: Path, text: str) -> None:
    path.write_text(text)
    moment = next(_moments)
    os.utime(path, (moment, moment))


def outcome(attempt: Attempt, place: Path, job: int, zygote: Zygote) -> str:
    """``caught``, or why it is not."""
    environment = dict(os.environ)
    if not any("migration" in one.path for one in attempt.cuts):
        environment["PYTEST_XDIST_WORKER"] = f"gw{job}"  # the servers run already
    out = place.with_suffix(".out")
    wish = {
        "place": str(place),
        "environment": environment,
        "test": attempt.test,
        "out": str(out),
    }
    with without(attempt.cuts, place):
        code = zygote.ask(wish)
    said = out.read_text(errors="replace")
    found = re.findall(r"^E +(.+)$", said, re.M)
    if code == 1:
        return f"caught: {found[0][:90] if found else ''}"
    return f"NOT caught ({code}): {said[-400:]}"


class Zygote:
    """``zygote.py`` at work; one for each copy."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/breakins/zygote.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, wish: dict[str, object]) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(wish) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


def tried(rows: Sequence[tuple[int, Attempt]]) -> dict[int, str]:
    """What came of each row, by its number."""
    with tempfile.TemporaryDirectory(prefix="dure-guards-") as folder:
        places: queue.Queue[tuple[int, Path, Zygote]] = queue.Queue()
        for job in range(JOBS):
            places.put((job, copied(Path(folder)), Zygote()))

        def run(row: tuple[int, Attempt]) -> tuple[int, str]:
            job, place, zygote = places.get()
            try:
                said = outcome(row[1], place, job, zygote)
            except ValueError as error:
                said = f"NOT caught: {error}"
            finally:
                places.put((job, place, zygote))
            print(f"{row[0]:>3} {row[1].what}\n    {said}", flush=True)
            return row[0], said

        with ThreadPoolExecutor(JOBS) as pool:
            found = dict(pool.map(run, rows))
        while not places.empty():
            places.get()[2].end()
        return found


def passes_uncut() -> bool:
    """All the tests once, with every guard in its place."""
    tests = sorted({one.test for one in ATTEMPTS})
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", str(JOBS), *tests]
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def main(words: list[str]) -> int:
    if words == ["document"]:
        DOCUMENT.write_text(document(), encoding="utf-8")
        return 0
    rows = [
        (number, one) for number, one in enumerate(ATTEMPTS, 1) if not words or str(number) in words
    ]
    if not words and not passes_uncut():
        print("Some tests fail with every guard in its place.", file=sys.stderr)
        return 1
    Stack().start()
    found = tried(rows)
    caught = sum(said.startswith("caught") for said in found.values())
    print(f"figure guards_removed {len(found)}")
    print(f"figure guards_caught {caught}")
    return 0 if caught == len(found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
