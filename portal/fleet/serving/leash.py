"""``python leash.py COMMAND…``: runs a server that cannot outlive whoever started it.

Standard input is held open by the owner and never written to; when it ends, the owner is gone,
however it went, and the server's whole process group is killed. SIGTERM is passed on.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import threading
from types import FrameType

NOT_STARTED = 127


def _die_with_parent() -> None:
    """For a leash that is itself killed. Runs between fork and exec, in one thread."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main(command: list[str]) -> int:
    """The server's exit code; ``128 + signal`` where a signal ended it."""
    try:
        server = subprocess.Popen(  # noqa: S603  the driver built the command line
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        return NOT_STARTED

    def kill_all() -> None:
        try:
            os.killpg(server.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def watch_owner() -> None:
        while os.read(0, 4096):
            continue
        kill_all()
        os._exit(1)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        server.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    threading.Thread(target=watch_owner, daemon=True).start()
    code = server.wait()
    kill_all()  # what the server had started besides
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
