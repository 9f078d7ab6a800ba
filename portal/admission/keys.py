"""Names of everything in the admission Valkey.

All names of a cell share a hash tag, so one function call may touch them and a cluster may
spread the cells.
"""

from functools import lru_cache

from portal.lib.ids import CELLS, cell_of


@lru_cache(maxsize=CELLS)
def tag(cell: int) -> str:
    """``{c17}``: the hash tag of a cell; every key of the cell begins with it."""
    if not 0 <= cell < CELLS:
        raise ValueError(f"no cell {cell}")
    return f"{{c{cell}}}"


def cell_in(name: bytes) -> int:
    """The cell that a key's name begins with."""
    return int(name[2 : name.index(b"}")])


def tag_of(org_code: str) -> str:
    """The hash tag of the cell that an organization lives in."""
    return tag(cell_of(org_code))


def events(cell: int) -> str:
    """Stream of settled usage, read by intake."""
    return f"{tag(cell)}:events"


def late(cell: int, request_id: str) -> str:
    """What a late event was charged."""
    return f"{tag(cell)}:late:{request_id}"


def orphans(cell: int) -> str:
    """Stream of holds whose lease ran out."""
    return f"{tag(cell)}:orphans"


def leases(cell: int) -> str:
    """Sorted set of open holds by the end of their lease."""
    return f"{tag(cell)}:leases"


def epoch(cell: int) -> str:
    """The epoch that the cell is open at; missing means closed."""
    return f"{tag(cell)}:opened"


def run(cell: int) -> str:
    """The run id of the server that the cell was opened on."""
    return f"{tag(cell)}:run"


def last_epoch(cell: int) -> str:
    """The newest epoch that the cell was ever open at."""
    return f"{tag(cell)}:last_epoch"


def limits(cell: int) -> str:
    """Hash of budgets: ``limit:<name>`` (``chain``) → ``<limit in micro-won> <1 if hard>
    <number>`` and, where it is another from some moment on, ``<ms>=<micro-won>,…``;
    ``more:<subject>`` → names of the budgets that count what it uses as well."""
    return f"{tag(cell)}:limits"


def used(cell: int, period: str) -> str:
    """Hash of what is used in a month, a year or without an end (``running``), as big-endian
    doubles: ``<name of the budget>`` → spent, committed, held in micro-won; in the months'
    ``use:<key>`` → minute of the last request, requests and tokens of that minute, requests that
    run."""
    return f"{tag(cell)}:used:{period}"


def record(cell: int, request_id: str) -> str:
    """What is known of a request: its open hold, or how it ended."""
    return f"{tag(cell)}:request:{request_id}"


def grant(org_code: str, sha256: str) -> str:
    """Hash of one grant, or its tombstone."""
    return f"{tag_of(org_code)}:grant:{sha256}"


def answer(cell: int, request_id: str) -> str:
    """A sealed answer that may be told again, for minutes."""
    return f"{tag(cell)}:answer:{request_id}"


def seen(cell: int) -> str:
    """Hash of keys: when each was last used, and from where (``<ms> <address>``)."""
    return f"{tag(cell)}:seen"


ROUTE_INDEX = "routes:index"
ROUTE_PARTS = "routes:parts"
DEMAND = "demand"
UNSERVED = "unserved"  # stream of what gateways counted that no site took
ENDED = "routes:ended"  # hashes of keys that a program has ended by itself: look at them again
FENCE_ROUND = "fence:round"  # number of the round that asks the gateways; missing: nobody asks
FENCE_ANSWERS = "fence:answers"  # hash: gateway → the last round that it has told everything in
PASSED = "fence:passed"  # of each cell: how far the ledger has come, in ms of Valkey's clock
FENCE_ROUNDS = "fence:rounds"  # those of the last month, for journals of gateways that were away
