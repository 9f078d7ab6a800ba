"""``python -m tests.fakes.mdc …``: an embedded site as in production, with fast fake engines.

The same arguments as ``python -m portal.mdc``; weights are two small files.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from portal.mdc import __main__ as program
from portal.mdc import weights
from portal.mdc.site import Layout

ENGINE = (sys.executable, str(Path(__file__).with_name("engine.py")))


def layout_of(given: Any, real: Any = program.layout_of) -> Layout:
    made: Layout = real(given)
    return Layout(made.site, made.cards, made.ports, made.folder, ENGINE)


def path_of(engine: str) -> Path:
    path = Path(os.environ["FAKE_WEIGHTS"])
    path.touch()
    return path


program.layout_of = layout_of
weights.path_of = path_of

if __name__ == "__main__":
    program.main()
