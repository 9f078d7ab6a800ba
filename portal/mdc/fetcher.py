"""A program for a pod: the files of one own model, from their place into a folder, before the
vendor's server starts. Standard library only; ``deploy/kubernetes/fetcher.Containerfile`` names all
that it needs.

Promises: only the place of the manifest is asked, no redirect is followed, no proxy and no
credential is used, and a private network is entered only where that was said. The folder is there
when all of it has come and has the digests, and not before. Run again it keeps what came whole,
compares it anew, and never mixes two models. It ends within its seconds: 0, 1 where it could not be
had (again later), 3 where something else lies there; then the last line of its log says why.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from portal.fleet.serving.digests import digest_of
from portal.lib.addresses import is_literal, is_public
from portal.mdc.arriving import Arrival, Differs

NOT_HAD, OTHER = 1, 3  # how it ends
MOST_MANIFEST = 1_048_576
PIECE = 1_048_576
WAIT_SECONDS = 30.0  # for the next byte
_COMING = ".coming"  # no file of a manifest is named so


class NotHad(Exception):
    """It could not be fetched; it may be there the next time."""


class File(NamedTuple):
    bytes: int
    digest: str


class Place:
    """Where the manifest lies, by the address that was looked at."""

    def __init__(self, location: str, *, private: bool) -> None:
        parts = urlsplit(location)
        self.secure = parts.scheme == "https"
        self.host, self.named = parts.hostname or "", parts.netloc
        self.port = parts.port or (443 if self.secure else 80)
        self.folder, _, self.manifest = parts.path.rpartition("/")
        self.private = private

    @contextmanager
    def asked(self, path: str) -> Iterator[http.client.HTTPResponse]:
        """The answer for a file of the manifest's folder."""
        connection = http.client.HTTPConnection(self.host, self.port)
        connection.sock = self._connected()
        try:
            headers = {"Host": self.named, "Accept-Encoding": "identity"}
            connection.request("GET", f"{self.folder}/{path}", headers=headers)
            answer = connection.getresponse()
            if 300 <= answer.status < 400:
                raise NotHad(f"The place of the weights answered {answer.status}: no redirects.")
            if answer.status != 200:
                raise NotHad(f"No weights found: {path} answered {answer.status}.")
            yield answer
        finally:
            connection.close()

    def _connected(self) -> socket.socket:
        found = socket.create_connection((self._address(), self.port), WAIT_SECONDS)
        if not self.secure:
            return found
        return ssl.create_default_context().wrap_socket(found, server_hostname=self.host)

    def _address(self) -> str:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        addresses = [str(one[4][0]) for one in found]
        if not (self.private or is_literal(self.host) or all(map(is_public, addresses))):
            raise NotHad("The name of the place leads into a private network.")
        return addresses[0]


def bring(wish: argparse.Namespace) -> None:
    """Make ``wish.folder`` hold the model and no more. ``Differs``, ``NotHad``, ``OSError``."""
    place = Place(wish.location, private=wish.private)
    work = wish.folder.with_name(f"{wish.folder.name}.part")
    if wish.folder.exists():  # a pod that begins anew: nothing there is believed
        shutil.rmtree(work, ignore_errors=True)
        wish.folder.rename(work)
    work.mkdir(parents=True, exist_ok=True)
    raw = _manifest(place, wish.manifest)
    form, files = _read(raw, place.manifest)
    _forget_others(work, files)
    for path, one in files.items():
        if not (work / path).exists() or digest_of(str(work / path)) != one.digest:
            _fetch(place, path, one, work)
    (work / place.manifest).write_bytes(raw)
    if digest_of(str(work / next(iter(files)) if form == "gguf" else work)) != wish.weights:
        shutil.rmtree(work)
        raise Differs("The weights there have another digest than the wanted ones.")
    work.rename(wish.folder)


def _manifest(place: Place, digest: str) -> bytes:
    with place.asked(place.manifest) as answer:
        raw = answer.read(MOST_MANIFEST + 1)
    if f"sha256:{hashlib.sha256(raw).hexdigest()}" != digest:
        raise Differs(
            "The manifest of the weights has another digest than the one that was checked."
        )
    return raw


def _read(raw: bytes, name: str) -> tuple[str, dict[str, File]]:
    """Form and files. Its digest is that of the check, which has read it strictly; here only what
    would write outside of the folder is refused."""
    try:
        found: dict[str, Any] = json.loads(raw)
        files = {
            str(one["path"]): File(int(one["bytes"]), f"sha256:{one['sha256']}")
            for one in found["files"]
        }
        form = str(found["form"])
    except (ValueError, KeyError, TypeError):
        raise Differs("The manifest of the weights is none.") from None
    for path in files:
        parts = PurePosixPath(path).parts
        if not parts or any(part.startswith((".", "/")) for part in parts) or path == name:
            raise Differs("The manifest of the weights names a file outside of its folder.")
    return form, files


def _forget_others(work: Path, files: Mapping[str, File]) -> None:
    """Of another model, or half of this one."""
    for one in sorted(work.rglob("*"), reverse=True):
        if one.is_dir() and not one.is_symlink():
            if not any(one.iterdir()):
                one.rmdir()
        elif one.is_symlink() or one.relative_to(work).as_posix() not in files:
            one.unlink()


def _fetch(place: Place, path: str, one: File, work: Path) -> None:
    with (
        place.asked(path) as answer,
        Arrival(work / _COMING, one.digest, most=one.bytes) as arrival,
    ):
        while piece := answer.read(PIECE):
            arrival.take(piece)
        if arrival.size < one.bytes:
            raise NotHad(f"The weights ended early: {path} has {one.bytes} bytes.")
        arrival.keep(work / path)
    _say(f"{path}: {one.bytes} bytes.")


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def _why(error: OSError | http.client.HTTPException) -> str:
    """In the system's words, which name no address."""
    if isinstance(error, ssl.SSLError):
        return "its certificate is not the place's, or of an authority that is not trusted"
    if isinstance(error, TimeoutError):
        return "the connection timed out"
    return getattr(error, "strerror", None) or type(error).__name__


def _asked_for(words: list[str]) -> argparse.Namespace:
    reader = argparse.ArgumentParser(prog="fetcher", description="Fetch an own model's files.")
    reader.add_argument("--location", required=True, help="address of the manifest")
    reader.add_argument("--manifest", required=True, help="its digest")
    reader.add_argument("--weights", required=True, help="digest of what the server loads")
    reader.add_argument("--folder", required=True, type=Path, help="made when all has come")
    reader.add_argument("--seconds", required=True, type=int, help="after so long it gives up")
    reader.add_argument("--private", action="store_true", help="may be in a private network")
    return reader.parse_args(words)


def _too_long(*_: object) -> None:
    raise NotHad("The weights did not come in time.")


def _stopped(*_: object) -> None:
    sys.exit(128 + signal.SIGTERM)  # the first process of a container has no handler by itself


def main(words: list[str]) -> int:
    wish = _asked_for(words)
    os.umask(0o022)  # the server reads them as whoever it is
    signal.signal(signal.SIGTERM, _stopped)
    signal.signal(signal.SIGALRM, _too_long)  # a socket's timeout counts from byte to byte
    signal.alarm(wish.seconds)
    try:
        bring(wish)
    except Differs as error:
        _say(str(error))
        return OTHER
    except NotHad as error:
        _say(str(error))
        return NOT_HAD
    except (OSError, http.client.HTTPException) as error:
        _say(f"The weights could not be fetched: {_why(error)}.")
        return NOT_HAD
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
