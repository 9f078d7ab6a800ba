"""What one embedded stack is: its folder, ports, passwords, and each program's environment."""

from __future__ import annotations

import base64
import json
import os
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

from deploy.local import ports, postgres, valkey, valkey_users
from deploy.local.postgres import StackError

ROOT = Path(__file__).resolve().parent.parent.parent

# One chip stands at two sites, so that replicas can be kept apart and a drill can be booked.
SITES = [
    ("daegu-1", "daegu", "대구-1", "Daegu 1", {"rngd": 2}),
    ("gwangju-1", "gwangju", "광주-1", "Gwangju 1", {"atom-max": 4, "rngd": 2}),
    ("daejeon-1", "daejeon", "대전-1", "Daejeon 1", {"atom-plus": 2}),
]
ENGINES_PER_SITE = 12
VALKEY_USERS = tuple(user.name for user in valkey_users.PROGRAMS)
PORTS = (
    *("DURE_PG_PORT", "DURE_ADMISSION_PORT", "DURE_BROKER_PORT"),
    *("DURE_REGISTRY_PORT", "DURE_ETAX_PORT"),
)


@dataclass
class Config:
    """Read from ``.dure/env``; made there at the first start."""

    folder: Path
    values: dict[str, str] = field(default_factory=dict)

    @property
    def env_file(self) -> Path:
        return self.folder / "env"

    @property
    def sites_file(self) -> Path:
        return self.folder / "sites.json"

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    def port(self, name: str) -> int:
        return int(self.values[f"DURE_{name}_PORT"])

    def postgres(self) -> postgres.Server:
        return postgres.Server(
            self.folder / "postgres", self.port("PG"), self.values["DURE_PG_PASSWORD"]
        )

    def admission(self) -> valkey.Server:
        return valkey.Server(
            self.folder / "valkey-admission",
            self.port("ADMISSION"),
            self.values["DURE_ADMISSION_PASSWORD"],
            always=True,
            users={name: self.values[_password_of(name)] for name in VALKEY_USERS},
        )

    def broker(self) -> valkey.Server:
        return valkey.Server(
            self.folder / "valkey-celery",
            self.port("BROKER"),
            self.values["DURE_BROKER_PASSWORD"],
            always=False,
        )

    def owner_url(self) -> str:
        return self.postgres().url("dure_owner", self.values["DURE_OWNER_PASSWORD"], "dure")

    def program_env(self, user: str = "portal") -> dict[str, str]:
        """The environment of every program: nothing about superusers or owners. ``user``: who it
        is in the admission Valkey."""
        server, admission, broker = self.postgres(), self.admission(), self.broker()
        web, gateway = self.port("WEB"), self.port("GATEWAY")
        return {
            "DJANGO_SETTINGS_MODULE": "portal.settings",
            "DATABASE_URL": server.url("dure_app", self.values["DURE_APP_PASSWORD"], "dure"),
            "VALKEY_URL": admission.url(user=user),
            "CELERY_BROKER_URL": broker.url(),
            "DURE_CACHE_URL": broker.url(1),
            "SECRET_KEY": self.values["SECRET_KEY"],
            "DURE_SEAL_KEYS": self.values["DURE_SEAL_KEYS"],
            "DURE_AUDIT_KEY": self.values["DURE_AUDIT_KEY"],
            "DURE_RECEIPT_KEYS": self.values["DURE_RECEIPT_KEYS"],
            "DURE_CHECKPOINT_DIR": str(self.folder / "checkpoints"),
            "DURE_WEB_ORIGIN": f"http://127.0.0.1:{web}",
            "DURE_GATEWAY_URL": f"http://127.0.0.1:{gateway}",
            "DURE_GATEWAY_HOST": "127.0.0.1",
            "DURE_GATEWAY_PORT": str(gateway),
            "DURE_JOURNAL_DIR": str(self.folder / "journal"),
            "DURE_DATA_DIR": str(self.folder),
            "DURE_JOBS_DIR": str(self.folder / "jobs"),
            "DURE_OUTBOX_DIR": str(self.folder / "outbox"),
            "DURE_SITES_FILE": str(self.sites_file),
            "DURE_REGISTRY_URL": f"http://127.0.0.1:{self.port('REGISTRY')}/nts-businessman/v1",
            "DURE_REGISTRY_KEY": self.values["DURE_REGISTRY_KEY"],
            "DURE_ETAX_URL": f"http://127.0.0.1:{self.port('ETAX')}",
            "DURE_ETAX_SERVICE": "POPBILL_TEST",
            "DURE_ETAX_LINK_ID": "DURE",
            "DURE_ETAX_SECRET_KEY": self.values["DURE_ETAX_SECRET_KEY"],
            "DURE_ETAX_FROM": "2026-01-01",
            "DURE_STRIPE_KEY": "sk_test_simulated",  # of the made-up Stripe of this machine
            "DURE_STRIPE_WEBHOOK_SECRETS": "whsec_simulated",
            "DURE_STRIPE_URL": f"http://127.0.0.1:{self.port('STRIPE')}",
            "DURE_EMBEDDED": "1",
            "DURE_DEMO_PASSWORD": self.values["DURE_DEMO_PASSWORD"],
            "DURE_DEMO_TOTP": self.values.get("DURE_DEMO_TOTP", ""),
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def folder() -> Path:
    """The data folder of this stack."""
    return Path(os.environ.get("DURE_DATA_DIR", ROOT / ".dure")).resolve()


def load() -> Config | None:
    """The stack's configuration, if it was started before."""
    config = Config(folder())
    if not config.env_file.exists():
        return None
    for line in config.env_file.read_text().splitlines():
        name, _, value = line.partition("=")
        if name and not name.startswith("#"):
            config.values[name] = value
    return config


def _password_of(user: str) -> str:
    return f"DURE_VALKEY_{user.upper()}_PASSWORD"


def _fernet_key() -> str:
    from cryptography.fernet import Fernet

    return Fernet.generate_key().decode()


def _signing_key() -> str:
    from portal.lib.signing import new_key

    return new_key()


def _totp_secret() -> str:
    """The operator's second factor in the demonstration; `make code` says what it shows now."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def _new_values() -> dict[str, str]:
    pg, admission, broker, registry = ports.free(4)
    secret = {
        name: secrets.token_hex(20)
        for name in (
            "DURE_PG_PASSWORD",
            "DURE_OWNER_PASSWORD",
            "DURE_APP_PASSWORD",
            "DURE_ADMISSION_PASSWORD",
            "DURE_BROKER_PASSWORD",
        )
    }
    return secret | {
        "SECRET_KEY": secrets.token_urlsafe(60),
        "DURE_SEAL_KEYS": _fernet_key(),
        "DURE_AUDIT_KEY": _signing_key(),
        "DURE_RECEIPT_KEYS": _signing_key(),
        "DURE_DEMO_PASSWORD": secrets.token_urlsafe(12),
        "DURE_DEMO_TOTP": _totp_secret(),
        "DURE_PG_PORT": str(pg),
        "DURE_ADMISSION_PORT": str(admission),
        "DURE_BROKER_PORT": str(broker),
        "DURE_REGISTRY_PORT": str(registry),
        "DURE_REGISTRY_KEY": secrets.token_hex(20),
    }


def load_or_make() -> Config:
    """The configuration; made with new passwords at the first start, kept afterwards.

    Ports of web and gateway come from the environment each time, else as they were.
    """
    config = load() or Config(folder())
    config.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    config.folder.chmod(0o700)
    if not config.values:
        config.values = _new_values()
    for name in ("DURE_AUDIT_KEY", "DURE_RECEIPT_KEYS"):  # a stack from before it had them
        config.values.setdefault(name, _signing_key())
    for name in VALKEY_USERS:
        config.values.setdefault(_password_of(name), secrets.token_hex(20))
    config.values.setdefault("DURE_DEMO_TOTP", _totp_secret())
    config.values.setdefault("DURE_STRIPE_PORT", str(ports.free(1)[0]))
    if "DURE_REGISTRY_PORT" not in config.values:
        config.values["DURE_REGISTRY_PORT"] = str(ports.free(1)[0])
        config.values["DURE_REGISTRY_KEY"] = secrets.token_hex(20)
    if "DURE_ETAX_PORT" not in config.values:
        config.values["DURE_ETAX_PORT"] = str(ports.free(1)[0])
        config.values["DURE_ETAX_SECRET_KEY"] = base64.b64encode(secrets.token_bytes(32)).decode()
    for name, default in (("DURE_WEB_PORT", "8000"), ("DURE_GATEWAY_PORT", "8080")):
        config.values[name] = os.environ.get(name) or config.values.get(name, default)
    for name in PORTS:
        config.values[name] = os.environ.get(name) or config.values[name]
    for name, value in config.values.items():
        if name.endswith("_PORT") and not value.isdecimal():
            raise StackError(f"{name} is {value!r}; it must be a number such as 8000.")
    _write_private(
        config.env_file,
        "# Passwords of this embedded stack. Keep it to yourself; `make reset` makes new ones.\n"
        + "".join(f"{name}={value}\n" for name, value in sorted(config.values.items())),
    )
    if not config.sites_file.exists():
        _write_private(config.sites_file, json.dumps(_new_sites(), indent=1, ensure_ascii=False))
    for name in ("logs", "journal", "outbox", "sites"):
        (config.folder / name).mkdir(exist_ok=True, mode=0o700)
    return config


def _new_sites() -> list[dict[str, object]]:
    control = ports.free(len(SITES))
    start, sites = 21000, []
    for (code, region, korean, english, cards), port in zip(SITES, control, strict=True):
        first, last = ports.free_range(ENGINES_PER_SITE, start)
        start = last + 1
        sites.append(
            {
                "code": code,
                "region": region,
                "name_ko": korean,
                "name_en": english,
                "cards": cards,
                "simulated": True,
                "port": port,
                "control_url": f"http://127.0.0.1:{port}",
                "engine_ports": f"{first}-{last}",
                "token": secrets.token_urlsafe(32),
            }
        )
    return sites


def _write_private(path: Path, text: str) -> None:
    """Mode 0600 from the first byte, replaced whole."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    new.replace(path)


def python() -> str:
    """The interpreter that runs the programs."""
    return sys.executable
