"""supervisor's configuration of the embedded stack: every program, its order, its restarts."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

from deploy.local.config import ROOT, Config, python


@dataclass(frozen=True)
class Program:
    """One supervised program. ``waits_for`` are names known to ``deploy.local.wait``."""

    name: str
    command: list[str]
    waits_for: str = ""
    env: dict[str, str] | None = None
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    priority: int = 500


def programs(config: Config) -> list[Program]:
    """All programs in the order of their start."""
    py = python()
    env = config.program_env()
    manage = [py, "manage.py"]
    web = [py, "-m", "uvicorn", "portal.asgi:application", "--host", "127.0.0.1"]
    web += ["--port", str(config.port("WEB")), "--no-access-log", "--lifespan", "off"]
    celery = [py, "-m", "celery", "-A", "portal"]
    beat = ["beat", "--pidfile", "", "-l", "WARNING"]
    return [
        Program("postgres", config.postgres().command(), stop_signal="INT", priority=10),
        Program("valkey-admission", config.admission().command(), priority=10),
        Program("valkey-celery", config.broker().command(), priority=10),
        *_sites(config),
        _registry(config),
        _etax(config),
        _stripe(config),
        Program(
            "publisher", [py, "-m", "portal.routing"], "ready", config.program_env("publisher")
        ),
        Program("intake", [*manage, "intake"], "ready", config.program_env("intake")),
        Program(
            "worker",
            [*celery, "worker", "--concurrency", "2", "-l", "WARNING", "--without-mingle"],
            "ready",
            env,
        ),
        Program("sites-worker", _threads(celery, "sites", 8), "ready", env),
        Program("jobs", _threads(celery, "jobs", 4), "ready", env),
        Program("beat", [*celery, *beat], "ready", env),
        Program(
            "gateway",
            [py, "-m", "portal.gateway"],
            "valkey",
            config.program_env("gateway"),
            stop_seconds=35,
        ),
        Program("web", web, "ready", env | {"DURE_DB_POOL": "1"}),
    ]


def _threads(celery: list[str], queue: str, count: int) -> list[str]:
    """A worker of one queue. A slice of a job takes half a minute, and nobody else waits for it; a
    site that hangs holds a thread for eight seconds, and the other sites are asked meanwhile."""
    command = [*celery, "worker", "--pool", "threads", "--concurrency", f"{count}"]
    command += ["--queues", queue, "--hostname", f"{queue}@%h"]
    return [*command, "-l", "WARNING", "--without-mingle"]


def _sites(config: Config) -> list[Program]:
    sites = json.loads(config.sites_file.read_text())
    found = []
    for site in sites:
        command = [python(), "-m", "portal.mdc", "--site", site["code"], "--region", site["region"]]
        command += ["--port", str(site["port"]), "--engine-ports", site["engine_ports"]]
        for chip, count in site["cards"].items():
            command += ["--card", f"{chip}={count}"]
        command += ["--state-dir", str(config.folder / "sites" / site["code"])]
        env = {"DURE_SITE_TOKEN": site["token"], "PYTHONUNBUFFERED": "1"}
        found.append(Program(f"site-{site['code']}", command, "", env, priority=100))
    return found


def _registry(config: Config) -> Program:
    """The made-up registry of businesses."""
    command = [python(), "-m", "deploy.local.registry", str(config.port("REGISTRY"))]
    env = {"DURE_REGISTRY_KEY": config.values["DURE_REGISTRY_KEY"], "PYTHONUNBUFFERED": "1"}
    return Program("registry", command, "", env, priority=100)


def _etax(config: Config) -> Program:
    """The made-up issuer of e-tax invoices. What it has issued outlives it."""
    command = [python(), "-m", "deploy.local.etax", str(config.port("ETAX"))]
    command += [str(config.folder / "etax")]
    secret = config.values["DURE_ETAX_SECRET_KEY"]
    env = {"DURE_ETAX_SECRET_KEY": secret, "PYTHONUNBUFFERED": "1"}
    return Program("etax", command, "", env, priority=100)


def _stripe(config: Config) -> Program:
    """The made-up card processor. It forgets everything when it ends."""
    hook = f"http://127.0.0.1:{config.port('WEB')}/api/v1/payments/webhooks/stripe"
    command = [python(), "-m", "deploy.local.stripe", str(config.port("STRIPE")), hook]
    return Program("stripe", command, "", {"PYTHONUNBUFFERED": "1"}, priority=100)


def socket_path(config: Config) -> Path:
    """supervisor's socket; a path over 100 bytes is too long for a Unix socket."""
    path = config.folder / "supervisor.sock"
    if len(str(path)) <= 90:
        return path
    kept = config.folder / "socket-path"
    if not kept.exists():
        kept.write_text(tempfile.mkdtemp(prefix="dure-"))
    return Path(kept.read_text()) / "s.sock"


def _quoted(words: list[str]) -> str:
    """A command line for supervisor, where % must be doubled."""
    return " ".join(
        '"' + word.replace('"', '\\"') + '"' if not word or " " in word else word for word in words
    ).replace("%", "%%")


def _section(config: Config, program: Program) -> str:
    command = program.command
    if program.waits_for:
        wait = [python(), "-m", "deploy.local.wait", "--for", program.waits_for, "--"]
        command = [*wait, *command]
    lines = [
        f"[program:{program.name}]",
        f"command={_quoted(command)}",
        f"directory={ROOT}",
        f"priority={program.priority}",
        "autorestart=true",
        "startsecs=4",
        "startretries=10",
        f"stopsignal={program.stop_signal}",
        f"stopwaitsecs={program.stop_seconds}",
        f"stopasgroup={'false' if program.name == 'postgres' else 'true'}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile={config.logs / (program.name + '.log')}",
        "stdout_logfile_maxbytes=10MB",
        "stdout_logfile_backups=2",
    ]
    if program.env:
        pairs = ",".join(
            f'{name}="{value.replace("%", "%%")}"' for name, value in program.env.items()
        )
        lines.append(f"environment={pairs}")
    return "\n".join(lines)


def write(config: Config) -> Path:
    """The configuration file (0600, since passwords stand in it)."""
    path = config.folder / "supervisord.conf"
    path.touch(mode=0o600)
    path.chmod(0o600)
    head = f"""[supervisord]
nodaemon=true
silent=true
logfile={config.logs / "supervisord.log"}
logfile_maxbytes=5MB
pidfile={config.folder / "supervisord.pid"}
childlogdir={config.logs}
umask=077
minfds=1024

[unix_http_server]
file={socket_path(config)}
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix://{socket_path(config)}
"""
    sections = "\n\n".join(_section(config, program) for program in programs(config))
    path.write_text(f"{head}\n{sections}\n")
    return path
