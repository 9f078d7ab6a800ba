"""``python -m deploy.local up|down|reset|status|run``: the embedded stack's command line."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from deploy.local import config as configuration
from deploy.local import preflight, processes, supervision
from deploy.local.config import ROOT, Config, python
from deploy.local.postgres import StackError

ANSWER_SECONDS = 120.0


class Stopped(Exception):
    """Somebody asked us to stop."""


def say(text: str) -> None:
    """A line for the person at the terminal."""
    print(text, flush=True)


def running(config: Config) -> int | None:
    """The supervisor's pid, if it runs."""
    try:
        pid = int((config.folder / "supervisord.pid").read_text())
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"supervisor" in words and os.fsencode(config.folder) in words else None


def _start_supervisor(config: Config) -> subprocess.Popen[bytes]:
    path = supervision.write(config)
    log = (config.logs / "supervisord.out").open("wb")
    # A session of its own: Ctrl-C reaches us, and we stop the programs in order.
    return subprocess.Popen(
        [python(), "-W", "ignore", "-m", "supervisor.supervisord", "-c", str(path)],
        cwd=ROOT,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def _manage(config: Config, *arguments: str, owner: bool = False) -> None:
    env = os.environ | config.program_env()
    if owner:
        env["DATABASE_OWNER_URL"] = config.owner_url()
    done = subprocess.run(
        [python(), "manage.py", *arguments],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise StackError(f"`manage.py {arguments[0]}` failed:\n{last}")


def _set_up(config: Config) -> None:
    server = config.postgres()
    # Gathering static files needs no server, so it goes on beside the rest.
    static = threading.Thread(target=_manage, args=(config, "collectstatic", "--noinput", "-v0"))
    static.start()
    server.wait()
    config.admission().wait()
    config.broker().wait()
    server.prepare(
        "dure",
        owner_password=config.values["DURE_OWNER_PASSWORD"],
        app_password=config.values["DURE_APP_PASSWORD"],
    )
    _manage(config, "migrate", "--database", "owner", "--skip-checks", "-v0", owner=True)
    _manage(config, "bootstrap")
    static.join()
    (config.folder / "ready").touch()


def _answers(url: str) -> bool:
    import httpx2

    try:
        return httpx2.get(url, timeout=2.0).status_code == 200
    except httpx2.HTTPError:
        return False


def _wait_for_answers(config: Config, supervisor: subprocess.Popen[bytes]) -> None:
    env = config.program_env()
    wanted = {
        "web": f"{env['DURE_WEB_ORIGIN']}/readyz",
        "gateway": f"{env['DURE_GATEWAY_URL']}/ready",
    }
    end = time.monotonic() + ANSWER_SECONDS
    while wanted:
        for name, url in list(wanted.items()):
            if _answers(url):
                del wanted[name]
        if supervisor.poll() is not None:
            raise StackError(f"supervisor ended. See {config.logs.name}/supervisord.out.")
        if wanted and time.monotonic() > end:
            name = next(iter(wanted))
            raise StackError(f"{name} does not answer. Its log ends so:\n{_tail(config, name)}")
        time.sleep(0.2)


def _wait_for_programs(config: Config) -> None:
    """Every program has stayed up for some seconds; one that keeps dying is named."""
    end = time.monotonic() + 30
    while True:
        command = [python(), "-W", "ignore", "-m", "supervisor.supervisorctl", "-c"]
        done = subprocess.run(
            [*command, str(config.folder / "supervisord.conf"), "status"],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = [line.split() for line in done.stdout.splitlines()]
        waiting = [words[0] for words in lines if len(words) > 1 and words[1] != "RUNNING"]
        if not waiting:
            return
        if time.monotonic() > end:
            name = waiting[0]
            raise StackError(f"{name} does not stay up. Its log ends so:\n{_tail(config, name)}")
        time.sleep(0.3)


def _tail(config: Config, name: str) -> str:
    path = config.logs / f"{name}.log"
    return "\n".join(path.read_text(errors="replace").splitlines()[-12:]) if path.exists() else "–"


def _raise_stopped(number: int, frame: FrameType | None) -> None:
    raise Stopped


def up() -> int:
    """Start everything, take the tour, stay until Ctrl-C. 0 only after a clean stop."""
    began = time.monotonic()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _raise_stopped)
    known = configuration.load()
    if known is not None and running(known):
        say("This stack is running already. `make down` stops it; another one needs its own")
        say("DURE_DATA_DIR, DURE_WEB_PORT and DURE_GATEWAY_PORT.")
        return 1
    config = configuration.load_or_make()
    preflight.check(config)
    config.postgres().initialize()
    (config.folder / "ready").unlink(missing_ok=True)
    supervisor = _start_supervisor(config)
    try:
        _set_up(config)
        _wait_for_answers(config, supervisor)
        _wait_for_programs(config)
        say(f"All programs answer after {time.monotonic() - began:.1f} s.")
        _summary(config)
        if os.environ.get("DURE_TOUR", "1") != "0" and _tour(config) != 0:
            return 1
        say(f"Ready after {time.monotonic() - began:.1f} s. Ctrl-C stops everything.")
        supervisor.wait()
        say("The supervisor ended by itself or by `make down`.")
    except Stopped:
        say("Stopping …")
        return 0
    finally:
        _stop(supervisor)
    return 0


def _stop(supervisor: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # once is enough
    if supervisor.poll() is None:
        _reap(supervisor)
    say("Stopped. No process is left; the data stay for the next `make up`.")


def _reap(supervisor: subprocess.Popen[bytes]) -> None:
    waiter = threading.Thread(target=supervisor.wait, daemon=True)
    waiter.start()  # takes the exit status, so that the process does not stay as a zombie
    processes.stop(supervisor.pid)
    waiter.join(5)


def _summary(config: Config) -> None:
    env = config.program_env()
    say("")
    say(f"  Portal    {env['DURE_WEB_ORIGIN']}          (mails: /outbox/, API: /api/docs/)")
    say(f"  Gateway   {env['DURE_GATEWAY_URL']}/v1")
    say(
        f"  Operator  operator@dure.example, password in {config.env_file.name}: DURE_DEMO_PASSWORD"
    )
    say("            second factor: make code")
    say("  Logs      make logs          The sites are simulated; their engines are real.")
    say("")


def _tour(config: Config) -> int:
    env = os.environ | config.program_env()
    command = [python(), "-m", "deploy.local.tour"]
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def down() -> int:
    """Stop a stack that runs in the background, also one whose `up` was killed."""
    config = configuration.load()
    pid = None if config is None else running(config)
    if config is None or pid is None:
        say("No stack runs from this data folder.")
        return 0
    processes.stop(pid)
    (config.folder / "supervisord.pid").unlink(missing_ok=True)
    say("Stopped. The data stay for the next `make up`; `make reset` drops them.")
    return 0


def reset() -> int:
    """Stop, then drop the data folder with all that is in it."""
    folder = configuration.folder()
    if not (folder / "env").exists():
        say("There is nothing to drop.")
        return 0
    down()
    shutil.rmtree(folder)
    say(f"Dropped {folder.name}/: databases, keys, journals and logs of the embedded stack.")
    return 0


def status() -> int:
    """What runs, by supervisor's own words."""
    config = configuration.load()
    if config is None or running(config) is None:
        say("Nothing runs from this data folder. `make up` starts it.")
        return 1
    command = [python(), "-W", "ignore", "-m", "supervisor.supervisorctl", "-c"]
    return subprocess.run(
        [*command, str(config.folder / "supervisord.conf"), "status"], check=False
    ).returncode


def run() -> int:
    """``run [--as USER] COMMAND…``: one command in the running stack's environment, as a user of
    the admission Valkey (portal); starts it if needed."""
    config = configuration.load()
    if config is None or running(config) is None:
        return _run_in_own_stack(sys.argv[2:])
    return _run(config, sys.argv[2:])


def _run(config: Config, words: list[str]) -> int:
    user = "portal"
    if words[:1] == ["--as"] and len(words) > 2:
        user, words = words[1], words[2:]
    env = os.environ | config.program_env(user)
    command = [python(), *words] if words and words[0].endswith((".py", "-m")) else words
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def _all_up(config: Config) -> bool:
    env = config.program_env()
    if running(config) is None or not (config.folder / "ready").exists():
        return False
    web = f"{env['DURE_WEB_ORIGIN']}/readyz"
    return _answers(f"{env['DURE_GATEWAY_URL']}/ready") and _answers(web)


def _run_in_own_stack(words: list[str]) -> int:
    say("No stack runs; starting one for this.")
    up_env = os.environ | {"DURE_TOUR": "0"}
    stack = subprocess.Popen([python(), "-m", "deploy.local", "up"], cwd=ROOT, env=up_env)
    try:
        end = time.monotonic() + ANSWER_SECONDS + 60
        while time.monotonic() < end and stack.poll() is None:
            config = configuration.load()
            if config and _all_up(config):
                return _run(config, words)
            time.sleep(0.3)
        return 1
    finally:
        if stack.poll() is None:
            stack.send_signal(signal.SIGTERM)
        stack.wait(90)


COMMANDS: dict[str, Callable[[], int]] = {
    "up": up,
    "down": down,
    "reset": reset,
    "status": status,
    "run": run,
}


def main() -> int:
    """The command line; a sentence and 1 for what is missing."""
    command = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    if command is None:
        print(__doc__)
        return 2
    try:
        return command()
    except StackError as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except Stopped:
        return 0


if __name__ == "__main__":
    sys.exit(main())
