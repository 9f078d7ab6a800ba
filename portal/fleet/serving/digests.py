"""The digest of what an engine loads, so that another set of weights is not served by mistake."""

from __future__ import annotations

import hashlib
from pathlib import Path

PIECE = 8 * 1_048_576


def digest_of(artifact: str) -> str:
    """``sha256:…`` of a file; of a folder, over the sorted names and sums of its files.

    Empty where nothing lies at that path: a name that the server itself resolves. Blocks; 60 GiB
    take minutes.
    """
    path = Path(artifact)
    if path.is_file():
        return f"sha256:{_of_file(path)}"
    if not path.is_dir():
        return ""
    whole = hashlib.sha256()
    for file in sorted(one for one in path.rglob("*") if one.is_file()):
        whole.update(f"{file.relative_to(path)}\0{_of_file(file)}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def _of_file(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()
