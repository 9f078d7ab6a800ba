"""Weights of customers' own models at an embedded site: fetched once, kept by their digest.

Promises: only the address of the wish is asked and no redirect is followed; a bound on bytes and on
the whole time; nothing is kept under a digest that it does not have. What is kept stays until the
site's folder goes: an embedded site is for trying out.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx2

from portal.lib.trust import trusted
from portal.mdc.arriving import Arrival, Differs
from portal.mdc.weights import NoWeights

MOST_BYTES = 8 * 2**30
WHOLE_SECONDS = 1800.0
AGAIN_SECONDS = 30.0  # after a failure
TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")


def is_address(artifact: str) -> bool:
    """Whether it has to be fetched; anything else is what the packages bring."""
    return artifact.startswith(("https://", "http://127.0.0.1:"))


class Fetched:
    """Of one site. ``done`` is called when a file has come, or has failed to."""

    def __init__(self, folder: Path, done: Callable[[], None]) -> None:
        self.folder, self.done = folder, done
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._failed: dict[str, tuple[float, str]] = {}

    def find(self, url: str, digest: str) -> Path | None:
        """The file; ``None`` while it is on its way. ``NoWeights`` if it cannot be had, until it is
        tried again."""
        found = _DIGEST.fullmatch(digest)
        if found is None:
            raise NoWeights("The wish names no digest of the weights.")
        path = self.folder / found.group(1)
        if path.is_file():
            return path
        failed_at, because = self._failed.get(digest, (0.0, ""))
        if because and time.monotonic() - failed_at < AGAIN_SECONDS:
            raise NoWeights(because)
        if digest not in self._tasks:
            self._tasks[digest] = asyncio.create_task(self._bring(url, digest, path))
        return None

    async def close(self) -> None:
        """Give up what is on its way."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _bring(self, url: str, digest: str, path: Path) -> None:
        try:
            async with asyncio.timeout(WHOLE_SECONDS):
                await _fetch(url, digest, path)
        except (NoWeights, Differs) as error:
            self._failed[digest] = time.monotonic(), str(error)
        except (httpx2.HTTPError, OSError) as error:  # a timeout is an OSError
            because = f"The weights could not be fetched: {type(error).__name__}."
            self._failed[digest] = time.monotonic(), because
        finally:
            del self._tasks[digest]
            self.done()


async def _fetch(url: str, digest: str, path: Path) -> None:
    """Put the file there. ``Differs`` if it is another one, ``NoWeights`` if there is none."""
    part = path.with_suffix(".part")
    async with (
        httpx2.AsyncClient(timeout=TIMEOUT, trust_env=False, verify=trusted()) as client,
        client.stream("GET", url, headers={"Accept-Encoding": "identity"}) as answer,
    ):
        if answer.status_code != 200:
            raise NoWeights(f"The place of the weights answered {answer.status_code}.")
        with Arrival(part, digest, most=MOST_BYTES) as arrival:
            async for piece in answer.aiter_raw():
                arrival.take(piece)
            arrival.keep(path)
