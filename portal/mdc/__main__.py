"""``python -m portal.mdc --site daegu-1 …``; the token comes by DURE_SITE_TOKEN."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import uvicorn

from portal.mdc import cards
from portal.mdc.api import application
from portal.mdc.site import EmbeddedSite, Layout


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="portal.mdc", description=__doc__)
    parser.add_argument("--site", required=True)
    parser.add_argument("--region", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--engine-ports", required=True, metavar="FIRST-LAST")
    parser.add_argument("--card", action="append", default=[], metavar="CHIP=COUNT")
    parser.add_argument("--state-dir", type=Path, required=True)
    return parser.parse_args(words)


def layout_of(given: argparse.Namespace) -> Layout:
    """The site that the command line describes."""
    first, _, last = given.engine_ports.partition("-")
    counts = {}
    for text in given.card:
        chip, _, count = text.partition("=")
        counts[chip] = int(count)
    given.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Layout(given.site, cards.make(counts), (int(first), int(last)), given.state_dir)


def main() -> None:
    """Run one site until a signal."""
    token = os.environ.pop("DURE_SITE_TOKEN", "")
    if len(token) < 32:
        sys.exit("DURE_SITE_TOKEN must have at least 32 characters; `make up` makes one.")
    given = _arguments(sys.argv[1:])

    # The site needs a running loop, which uvicorn makes: it is built by the factory.
    def factory() -> object:
        return application(EmbeddedSite(layout_of(given)), token)

    uvicorn.run(
        factory,
        factory=True,
        host="127.0.0.1",
        port=given.port,
        access_log=False,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
