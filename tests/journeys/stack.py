"""A whole embedded stack for stories: started by the product's own command, in its own folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from deploy.local import ports, processes

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Running:
    """One stack, as `make up` starts it."""

    folder: Path
    process: subprocess.Popen[str] | None = None
    env: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        web, gateway = ports.free(2)
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.env = kept | {
            "DURE_DATA_DIR": str(self.folder / "dure"),
            "DURE_WEB_PORT": str(web),
            "DURE_GATEWAY_PORT": str(gateway),
            "DURE_TOUR": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "deploy.local", "up"],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        said = []
        for line in self.process.stdout:
            said.append(line)
            if line.startswith("Ready after"):
                return
        raise AssertionError("the stack did not start:\n" + "".join(said))

    def stop(self) -> list[int]:
        """End it by the signal that Ctrl-C sends; what is left of it afterwards."""
        assert self.process is not None
        known = processes.descendants(self.process.pid)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(90)
        return processes.alive(known)

    def program_env(self) -> dict[str, str]:
        """The environment of the running programs, read from one of them."""
        raw = Path(f"/proc/{self.pid('web')}/environ").read_bytes().split(b"\0")
        pairs = [one.decode().partition("=") for one in raw if b"=" in one]
        return {name: value for name, _, value in pairs}

    def pid(self, program: str) -> int:
        """The process of a supervised program."""
        done = self._supervisor("pid", program)
        return int(done.stdout.strip())

    def _supervisor(self, *words: str) -> subprocess.CompletedProcess[str]:
        conf = str(self.folder / "dure" / "supervisord.conf")
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "supervisor.supervisorctl", "-c", conf, *words],
            cwd=ROOT,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    def kill(self, program: str) -> None:
        """``kill -9``; supervisor starts it again."""
        os.kill(self.pid(program), signal.SIGKILL)

    def halt(self, program: str) -> None:
        """Stop one program for good."""
        self._supervisor("stop", program)

    def wait_until_up(self, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                ready = httpx2.get(f"http://127.0.0.1:{self.env['DURE_GATEWAY_PORT']}/ready")
                if ready.status_code == 200:
                    return
            except httpx2.HTTPError:
                pass
            time.sleep(0.2)
        raise AssertionError("the gateway did not come back")

    def tour(self) -> subprocess.CompletedProcess[str]:
        """The tour against this stack."""
        env = self.env | self.program_env()
        return subprocess.run(
            [sys.executable, "-m", "deploy.local.tour"],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )

    def manage(self, code: str) -> object:
        """Run a piece of Python in the product's own shell; it prints one line of JSON."""
        done = subprocess.run(
            [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
            cwd=ROOT,
            env=self.env | self.program_env(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])
