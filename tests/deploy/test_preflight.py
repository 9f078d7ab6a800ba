"""What stops a start, each with one sentence that says what to do."""

from __future__ import annotations

import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local import config as configuration
from deploy.local import ports, postgres, preflight, processes, supervision, tour
from deploy.local.config import Config
from deploy.local.postgres import StackError
from tenants.numbers import normalized


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    web, gateway = ports.free(2)
    monkeypatch.setenv("DURE_DATA_DIR", str(tmp_path / "dure"))
    monkeypatch.setenv("DURE_WEB_PORT", str(web))
    monkeypatch.setenv("DURE_GATEWAY_PORT", str(gateway))
    return configuration.load_or_make()


def test_names_the_setting_of_a_port_in_use(config: Config) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", config.port("WEB")))
        taken.listen()
        with pytest.raises(StackError, match=r"Port \d+ is in use.*DURE_WEB_PORT=\d+ make up"):
            preflight.check_ports(config)


def test_starts_where_all_ports_are_free(config: Config) -> None:
    preflight.check_ports(config)


def test_says_how_much_room_is_missing(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"MB are free.*DURE_DATA_DIR"):
        preflight.check_disk(tmp_path, needed=10**18)


def test_says_that_the_processor_is_too_old(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("flags\t\t: fpu sse2 avx\n")
    with pytest.raises(StackError, match="AVX2"):
        preflight.check_processor(cpuinfo)
    cpuinfo.write_text("flags\t\t: fpu sse2 avx avx2 bmi\n")
    preflight.check_processor(cpuinfo)


def test_says_what_to_do_as_root_without_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres.os, "geteuid", lambda: 0)
    monkeypatch.setattr(postgres, "_namespaces_work", lambda: False)
    with pytest.raises(StackError, match="ordinary user, or set DATABASE_URL"):
        postgres.as_nobody()


def test_says_that_a_binary_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StackError, match="make setup"):
        postgres.binary("postgres")


def test_refuses_a_port_that_is_no_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURE_DATA_DIR", str(tmp_path / "dure"))
    monkeypatch.setenv("DURE_WEB_PORT", "http")
    with pytest.raises(StackError, match="DURE_WEB_PORT is 'http'"):
        configuration.load_or_make()


def test_keeps_passwords_to_the_owner_and_over_restarts(config: Config) -> None:
    again = configuration.load_or_make()

    assert again.values["DURE_APP_PASSWORD"] == config.values["DURE_APP_PASSWORD"]
    for path in (config.env_file, config.sites_file, supervision.write(config)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(config.folder.stat().st_mode) == 0o700


def test_puts_no_password_on_a_command_line(config: Config) -> None:
    secrets = [value for name, value in config.values.items() if "PASSWORD" in name]
    for program in supervision.programs(config):
        assert not any(secret in " ".join(program.command) for secret in secrets)


def test_gives_no_program_the_owners_password(config: Config) -> None:
    given = str(config.program_env()) + supervision.write(config).read_text()

    assert config.values["DURE_OWNER_PASSWORD"] not in given
    assert config.values["DURE_PG_PASSWORD"] not in given


def test_listens_on_loopback_only(config: Config) -> None:
    assert "listen_addresses=127.0.0.1" in config.postgres().command()
    assert "bind 127.0.0.1\n" in config.admission().write_config().read_text()
    assert "appendfsync always\n" in config.admission().write_config().read_text()


def test_finds_a_python_that_really_runs() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, 'deploy/local'); import setup; "
            "python = setup.find_python(); print(setup.about(python)[0] >= (3, 12)); "
            "print(setup.about('/nowhere/python3'))",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["True", "None"]


@pytest.mark.parametrize(("optimised", "chosen"), [("1", "python3.12"), ("0", "python3.13")])
def test_takes_an_interpreter_that_was_compiled_with_a_profile(
    tmp_path: Path, optimised: str, chosen: str
) -> None:
    for name, says in (("python3.13", "3 13 0"), ("python3.12", f"3 12 {optimised}")):
        (tmp_path / name).write_text(f"#!/bin/sh\necho {says}\n")
        (tmp_path / name).chmod(0o755)
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.path.insert(0, 'deploy/local'); import setup; "
            f"setup.ROOT = {str(tmp_path)!r}; print(setup.find_python())",
        ],
        env={"PATH": str(tmp_path), "PYENV_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout.strip()).name == chosen


def test_kills_what_does_not_end_and_nothing_else() -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); "
    parent = subprocess.Popen(
        [sys.executable, "-c", stubborn + "time.sleep(60)"], stdout=subprocess.PIPE
    )
    bystander = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert parent.stdout is not None
    parent.stdout.readline()

    killed = processes.stop(parent.pid, seconds=0.5)

    assert killed == [parent.pid]
    assert parent.wait(5) == -9
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    parent.stdout.close()


def test_makes_up_numbers_that_the_product_accepts() -> None:
    for _ in range(50):
        number = tour.made_up_number()
        assert normalized(number) == number
