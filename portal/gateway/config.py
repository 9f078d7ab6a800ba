"""The gateway's few settings, all from the environment. Fails naming everything that is missing."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

# A lease lasts 60 s: a renewal may be missed twice before it ends.
RENEW_BOUNDS = (1, 20)


class ConfigMissing(Exception):
    """Settings without which the gateway cannot start. Set the named variables."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Times in seconds, sizes in bytes."""

    valkey_url: str
    seal_keys: str
    journal_dir: Path
    host: str = "127.0.0.1"
    port: int = 8080
    processes: int = 1
    share_port: bool = False  # several processes on one machine listen together
    admin_port: int = 0  # of this process alone, for /metrics where a port is shared; 0: none
    gateway_id: str = "gateway"
    public_url: str = ""
    receipts: bytes = b""  # the address of a receipt, without the request's id
    portal_url: str = ""  # which keeps files and batches
    body_bytes: int = 1 << 20
    file_bytes: int = 210_000_000  # of a body that is passed on: a file, and the form around it
    header_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_bytes: int = 16 << 20  # of one answer that is not streamed
    admission_seconds: float = 0.28  # refused within 300 ms when Valkey is silent
    connect_seconds: float = 2.0
    first_byte_seconds: float = 60.0
    between_seconds: float = 30.0
    whole_seconds: float = 600.0
    stuck_seconds: float = 60.0  # a client that takes no bytes for so long is cut off
    attempts: int = 3
    most_open: int = 2000  # requests open at once; more are refused early and cheaply
    queue_most: int = 256  # requests that wait for room at one endpoint
    queue_most_each: int = 128  # of one organization
    queue_seconds: float = 30.0
    cold_seconds: float = 30.0  # for the first replica of an endpoint
    drain_seconds: int = 30
    journal_keep_seconds: int = 86400
    journal_bytes: int = 4 << 30  # of all segments; with more, nobody new is admitted
    renew_seconds: int = 20
    proxies: int = 0  # of ours before this gateway, each adding to X-Forwarded-For


def from_environment(environment: Mapping[str, str]) -> Config:
    """``ConfigMissing`` names all that is missing or malformed at once."""
    wanted = ("VALKEY_URL", "DURE_SEAL_KEYS", "DURE_JOURNAL_DIR")
    missing = [name for name in wanted if not environment.get(name)]
    if missing:
        raise ConfigMissing(f"Set {', '.join(missing)} in the environment of the gateway.")
    host = environment.get("DURE_GATEWAY_HOST", "127.0.0.1")
    port = _number(environment, "DURE_GATEWAY_PORT", 8080)
    return Config(
        valkey_url=environment["VALKEY_URL"],
        seal_keys=environment["DURE_SEAL_KEYS"],
        journal_dir=Path(environment["DURE_JOURNAL_DIR"]),
        host=host,
        port=port,
        gateway_id=environment.get("DURE_GATEWAY_ID") or f"{socket.gethostname()}-{port}",
        public_url=environment.get("DURE_GATEWAY_URL", f"http://{host}:{port}").rstrip("/"),
        receipts=_receipts(environment),
        portal_url=environment.get("DURE_PORTAL_URL") or _origin(environment),
        processes=_number(environment, "DURE_GATEWAY_PROCESSES", 1),
        share_port=bool(_number(environment, "DURE_GATEWAY_SHARE_PORT", 0)),
        admin_port=_number(environment, "DURE_GATEWAY_ADMIN_PORT", 0),
        body_bytes=_number(environment, "DURE_GATEWAY_BODY_BYTES", 1 << 20),
        header_seconds=_number(environment, "DURE_GATEWAY_HEADER_SECONDS", 10),
        body_seconds=_number(environment, "DURE_GATEWAY_BODY_SECONDS", 30),
        first_byte_seconds=_number(environment, "DURE_GATEWAY_FIRST_BYTE_SECONDS", 60),
        between_seconds=_number(environment, "DURE_GATEWAY_BETWEEN_SECONDS", 30),
        whole_seconds=_number(environment, "DURE_GATEWAY_WHOLE_SECONDS", 600),
        most_open=_number(environment, "DURE_GATEWAY_MOST_OPEN", 2000),
        queue_most=_number(environment, "DURE_GATEWAY_QUEUE_MOST", 256),
        queue_most_each=_number(environment, "DURE_GATEWAY_QUEUE_MOST_EACH", 128),
        queue_seconds=_number(environment, "DURE_GATEWAY_QUEUE_SECONDS", 30),
        cold_seconds=_number(environment, "DURE_GATEWAY_COLD_SECONDS", 30),
        stuck_seconds=_number(environment, "DURE_GATEWAY_STUCK_SECONDS", 60),
        renew_seconds=_within(environment, "DURE_GATEWAY_RENEW_SECONDS", 20, RENEW_BOUNDS),
        proxies=_number(environment, "DURE_PROXIES", 0),
        journal_bytes=_number(environment, "DURE_GATEWAY_JOURNAL_BYTES", 4 << 30),
        drain_seconds=_number(environment, "DURE_GATEWAY_DRAIN_SECONDS", 30),
    )


# What a running gateway cannot change: where it listens, who it is, where its journal stands.
_FIXED = (
    "valkey_url",
    "seal_keys",
    "journal_dir",
    "host",
    "port",
    "processes",
    "share_port",
    "admin_port",
    "gateway_id",
)


def environment() -> dict[str, str]:
    """The process' own, and above it the lines ``NAME=value`` of the file that
    ``DURE_GATEWAY_SETTINGS`` names. ``ConfigMissing`` if that file cannot be read."""
    found = dict(os.environ)
    name = found.get("DURE_GATEWAY_SETTINGS")
    if name:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigMissing(f"DURE_GATEWAY_SETTINGS: {error}") from None
        for line in text.splitlines():
            key, sign, value = line.partition("=")
            if sign and not key.lstrip().startswith("#"):
                found[key.strip()] = value.strip()
    return found


def reloaded(before: Config, after: Config) -> tuple[Config, list[str]]:
    """The settings of now, and the names of those that differ and need a new process."""
    kept = {name: getattr(before, name) for name in _FIXED}
    waiting = [name for name in _FIXED if getattr(after, name) != kept[name]]
    return replace(after, **kept), waiting


def _origin(environment: Mapping[str, str]) -> str:
    origin = environment.get("DURE_WEB_ORIGIN") or "http://127.0.0.1:8000"  # as the portal's own
    return origin.rstrip("/")


def _receipts(environment: Mapping[str, str]) -> bytes:
    return f"{_origin(environment)}/api/v1/receipts/".encode("ascii", "ignore")


def _within(
    environment: Mapping[str, str], name: str, default: int, bounds: tuple[int, int]
) -> int:
    found = _number(environment, name, default)
    least, most = bounds
    if not least <= found <= most:
        raise ConfigMissing(f"{name} must be {least} to {most}, not {found}.")
    return found


def _number(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    if not text:
        return default
    if not text.isdecimal():
        raise ConfigMissing(f"{name} must be a whole number, not {text!r}.")
    return int(text)
