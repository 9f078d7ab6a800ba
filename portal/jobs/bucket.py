"""Files of jobs in a bucket of an S3-compatible storage; the one module that knows obstore.

A file is sealed into a scratch file on this machine first and sent whole once it is complete, in
parts of 8 MiB: so there is never half a file in the bucket, and nobody holds 200 MB in memory. It
is read in ranges, each a request of its own: a job that runs for hours keeps no connection open.

Nothing here is told to a process that forks afterwards: obstore's threads do not survive a fork.
Celery's parent never opens a file.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from portal.jobs.blocks import SEALED, Blocks, opened
from portal.jobs.storage import FileLost, StorageAway, Writing
from portal.lib.sealing import SealBroken

if TYPE_CHECKING:
    from obstore.store import ClientConfig

RANGE_BLOCKS = 64  # one request reads 4 MiB
PART_BYTES = 8 * 1024 * 1024
PARTS_AT_ONCE = 2
CONNECT = timedelta(seconds=5)
REQUEST = timedelta(seconds=60)
RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=90)}


class Bucket:
    """``folder``: where scratch files may stand. ``endpoint``: https, or http on this machine."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: str,
        region: str,
        key_id: str,
        secret: str,
        folder: Path,
        prefix: str = "jobs",
    ) -> None:
        options: ClientConfig = {
            "connect_timeout": CONNECT,
            "timeout": REQUEST,
            "allow_http": endpoint.startswith("http://"),
        }
        self._store = S3Store(
            name,
            prefix=prefix,
            endpoint=endpoint,
            region=region,
            access_key_id=key_id,
            secret_access_key=secret,
            virtual_hosted_style_request=False,
            disable_bulk_delete=True,  # which some storages do not have
            client_options=options,
            retry_config=RETRIES,
        )
        self._folder = folder

    @staticmethod
    def _path(name: str) -> str:
        return f"{name[-2:]}/{name}"

    @contextmanager
    def writing(self, name: str) -> Iterator[Writing]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=self._folder) as scratch:
            blocks = Blocks(scratch, name)
            yield blocks
            blocks.end()
            scratch.seek(0)
            try:
                obstore.put(
                    self._store,
                    self._path(name),
                    scratch,
                    chunk_size=PART_BYTES,
                    max_concurrency=PARTS_AT_ONCE,
                )
            except BaseError as error:
                raise StorageAway(name) from error

    def read(self, name: str, start: int = 0) -> Iterator[bytes]:
        try:
            yield from opened(name, start, lambda number: self._sealed(name, number))
        except SealBroken as error:
            raise FileLost(name) from error

    def _sealed(self, name: str, number: int) -> Iterator[bytes]:
        """Sealed blocks from this place on; the last may be shorter."""
        while True:
            found = self._range(name, number * SEALED, RANGE_BLOCKS * SEALED)
            for begin in range(0, len(found), SEALED):
                yield found[begin : begin + SEALED]
            if len(found) < RANGE_BLOCKS * SEALED:
                yield b""  # the end of what there is: not the end that was written, if it is read
                return
            number += RANGE_BLOCKS

    def _range(self, name: str, start: int, length: int) -> bytes:
        path = self._path(name)
        try:
            return bytes(obstore.get_range(self._store, path, start=start, length=length))
        except FileNotFoundError as error:
            raise FileLost(name) from error
        except BaseError as error:
            if "416" in str(error) or "range" in str(error).lower():
                return b""  # it is shorter than what was written
            raise StorageAway(name) from error

    def remove(self, name: str) -> None:
        try:
            obstore.delete(self._store, self._path(name))
        except FileNotFoundError:
            return
        except BaseError as error:
            raise StorageAway(name) from error

    def older(self, moment: datetime) -> Iterator[str]:
        try:
            for page in obstore.list(self._store):
                for one in page:
                    if one["last_modified"] < moment:
                        yield one["path"].rsplit("/", 1)[-1]
        except BaseError as error:
            raise StorageAway("the list of files") from error
