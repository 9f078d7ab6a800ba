"""Back up PostgreSQL, and restore it into an empty place.

python -m deploy.backup make FOLDER        copy the running stack's server, restore the copy beside,
                                           read its books, keep them with it
python -m deploy.backup restore FOLDER     into the stopped stack, whose server's data must be gone;
                                           its books must be those of the backup

Of servers of your own: --url (a role that may replicate), --data (where to restore), --password
(the superuser's, to start it), with the programs' environment set. The keys of ``.dure/env`` are in
no backup: keep them elsewhere, without them sealed fields do not open.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.backup import copy, proof
from deploy.local import config as configuration
from deploy.local.__main__ import running, say
from deploy.local.postgres import StackError


@dataclass(frozen=True)
class Place:
    """The server to copy, or where its data go; ``env`` is that of the programs."""

    superuser_url: str
    database_url: str
    password: str
    data: Path
    env: dict[str, str]
    counters: Path | None = None  # Valkey's files, which are dropped: they are counted anew


def place_of(words: argparse.Namespace) -> Place:
    """The embedded stack, or what the words say of another server."""
    if words.url or words.data:
        data, url = Path(words.data or "."), os.environ.get("DATABASE_URL", "")
        if not url:
            raise StackError("Set the programs' environment first: DATABASE_URL is missing.")
        return Place(words.url or "", url, words.password or "", data, {})
    config = configuration.load()
    if config is None:
        raise StackError("There is no stack in this data folder. `make up` makes one.")
    server, env = config.postgres(), config.program_env()
    return Place(
        superuser_url=server.superuser_url(),
        database_url=env["DATABASE_URL"],
        password=server.password,
        data=server.folder,
        env=env,
        counters=config.folder / "valkey-admission",
    )


def make(folder: Path, place: Place) -> int:
    """One backup, proven."""
    began = time.monotonic()
    target = folder / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    copy.make(place.superuser_url, target)
    say(f"Copied into {target} in {proof.seconds_since(began)}.")
    found = proof.prove(
        target, database_url=place.database_url, password=place.password, env=place.env
    )
    say(f"Restored beside and read: {_summary(found)}.")
    _tell_faults(found)
    say("Keep the keys (.dure/env, or your secrets) elsewhere: they are in no backup.")
    return 1 if found["faults"] else 0


def restore(folder: Path, place: Place) -> int:
    """The backup as the server's data, its books compared, the counters to be made anew."""
    began = time.monotonic()
    known = folder / proof.BOOKS
    if not known.exists():
        raise StackError(f"{folder} was never proven: {proof.BOOKS} is missing.")
    copy.unpack(folder, place.data)
    with proof.running(place.data, place.password) as server:
        found = proof.books(proof.at_port(place.database_url, server.port), place.env)
    say(f"Restored in {proof.seconds_since(began)}: {_summary(found)}.")
    if place.counters is not None and place.counters.exists():
        shutil.rmtree(place.counters)
        say("The counters are dropped: the publisher counts them anew from the ledger, and")
        say("gateways tell again what the ledger lacks. Nothing is admitted before that.")
    differing = proof.differences(json.loads(known.read_text()), found)
    for one in differing:
        say(f"  {one}")
    _tell_faults(found)
    say("The books agree with the backup." if not differing else "The books do NOT agree.")
    return 1 if differing else 0


def _summary(found: proof.Books) -> str:
    rows = sum(found["tables"].values())
    return f"{len(found['tables'])} tables, {rows:,} rows, {len(found['faults'])} faults"


def _tell_faults(found: proof.Books) -> None:
    """As ``verify_books`` names them, with the numbers and the audit chains."""
    for one in found["faults"]:
        say(f"  fault: {one}")
    if not found["faults"]:
        say("Verified: journal, documents, their numbers and the audit chains agree.")


def _require_stopped(words: argparse.Namespace) -> None:
    config = configuration.load()
    if not words.data and config is not None and running(config):
        raise StackError("The stack runs. `make down` first; then move its postgres/ away.")


def main(arguments: list[str]) -> int:
    """The command line; a sentence and 1 for what is wrong."""
    parser = argparse.ArgumentParser(
        prog="deploy.backup", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("deed", choices=["make", "restore"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="")
    parser.add_argument("--data", default="")
    parser.add_argument("--password", default="")
    words = parser.parse_args(arguments)
    try:
        if words.deed == "make":
            return make(words.folder, place_of(words))
        _require_stopped(words)
        return restore(words.folder, place_of(words))
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
