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

ROOT = Path(__file__).resolve().parent.parent.parent
GROUPS: dict[str, list[str]] = {"base": [], "local": ["local"], "dev": ["local", "dev"]}


def asked_for() -> str:
    """One line that changes when a dependency changes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    parts = [project["project"]["dependencies"], project["dependency-groups"]]
    overrides = (ROOT / "requirements" / "overrides.txt").read_text()
    raw = json.dumps([parts, overrides], sort_keys=True).encode()
    return f"# pins of pyproject {hashlib.sha256(raw).hexdigest()[:32]}; made by `make pins`"


def write() -> None:
    """Resolve again, for every platform and Python from 3.12."""
    uv = Path(os.environ.get("DURE_VENV", ROOT / ".venv")).as_posix() + "-uv/bin/uv"
    for name, groups in GROUPS.items():
        path = ROOT / "requirements" / f"{name}.txt"
        command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.12"]
        command += ["--generate-hashes", "--no-emit-index-url", "--no-emit-find-links"]
        command += ["--no-header", "--no-annotate", "--override", "requirements/overrides.txt"]
        command += ["pyproject.toml", *[part for group in groups for part in ("--group", group)]]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        path.write_text(f"{asked_for()}\n{done.stdout}")
        print(f"{path.relative_to(ROOT)}: {done.stdout.count('==')} packages")


def check() -> int:
    """1 if a file is stale or names an index or a path."""
    faults = 0
    for name in GROUPS:
        path = ROOT / "requirements" / f"{name}.txt"
        text = path.read_text()
        if text.splitlines()[0] != asked_for():
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
