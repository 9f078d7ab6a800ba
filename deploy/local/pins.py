"""Hashed pins out of pyproject.toml: ``make pins`` writes them, ``check`` needs no network.

The first line of each file is a hash of what pyproject asks for, so that stale pins are seen.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
GROUPS: dict[str, list[str]] = {"base": [], "local": ["local"], "dev": ["local", "dev"]}
APART = ("ray",)  # extras for machines of their own: without the product's dependencies


def _project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def asked_for(name: str) -> str:
    """One line that changes when a dependency of this file changes."""
    project = _project()
    parts = [project["project"]["dependencies"], project["dependency-groups"]]
    if name in APART:
        parts = [project["project"]["optional-dependencies"][name]]
    overrides = (ROOT / "requirements" / "overrides.txt").read_text()
    raw = json.dumps([parts, overrides], sort_keys=True).encode()
    return f"# pins of pyproject {hashlib.sha256(raw).hexdigest()[:32]}; made by `make pins`"


def write() -> None:
    """Resolve again, for every platform and Python from 3.12."""
    uv = Path(os.environ.get("DURE_VENV", ROOT / ".venv")).as_posix() + "-uv/bin/uv"
    common = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.12"]
    common += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
    common += ["--no-header", "--no-annotate", "--override", "requirements/overrides.txt"]
    for name, groups in GROUPS.items():
        command = [*common, "pyproject.toml"]
        command += [part for group in groups for part in ("--group", group)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        _write(name, done.stdout)
    for name in APART:
        asked = "\n".join(_project()["project"]["optional-dependencies"][name])
        command = [*common, "-"]
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, check=True, input=asked
        )
        _write(name, done.stdout)


def _write(name: str, pins: str) -> None:
    path = ROOT / "requirements" / f"{name}.txt"
    path.write_text(f"{asked_for(name)}\n{pins}")
    print(f"{path.relative_to(ROOT)}: {pins.count('==')} packages")


def check() -> int:
    """1 if a file is stale or names an index or a path."""
    faults = 0
    for name in (*GROUPS, *APART):
        path = ROOT / "requirements" / f"{name}.txt"
        text = path.read_text()
        if text.splitlines()[0] != asked_for(name):
            print(f"requirements/{name}.txt is older than pyproject.toml. Run `make pins`.")
            faults = 1
        if "://" in text or "--index" in text or "--find-links" in text:
            print(f"requirements/{name}.txt names an address.")
            faults = 1
    return faults


if __name__ == "__main__":
    if sys.argv[1:] == ["check"]:
        sys.exit(check())
    write()
