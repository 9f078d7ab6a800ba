"""The admission client of Django's programs: redis-py, with no automatic retry.

A retry that nobody asked for executes a call twice; every call here may be repeated by its
caller, who knows the id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import batched
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from portal.admission import calls, keys, library, limits, slots
from portal.admission.calls import (
    AdmissionUnavailable,
    Admitted,
    BudgetStanding,
    Command,
    Later,
)
from portal.admission.grants import Grant, decode
from portal.admission.limits import Reading
from portal.admission.sync_cluster import Cluster
from portal.lib.ids import CELLS, cell_of

PIPELINE_CALLS = 200  # at most, so that one round trip stays far below the timeout


def connect(url: str, *, timeout_seconds: float = 1.0) -> redis.Redis:
    """A connection pool without retries, with a timeout on everything; to one server, or to each
    of a cluster."""
    make: Callable[..., redis.Redis] = Cluster if slots.is_cluster(url) else redis.Redis.from_url
    return make(
        url,
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
    )


class Admission:
    """Calls by organization code. Everything that goes wrong is ``AdmissionUnavailable``."""

    def __init__(self, client: redis.Redis) -> None:
        self.client = client

    def _ask(self, command: Command) -> Any:
        try:
            return self.client.execute_command(*command)  # type: ignore[no-untyped-call]
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error

    def _servers(self) -> list[tuple[redis.Redis, Iterable[int]]]:
        """Each server, and the cells that it holds."""
        if not isinstance(self.client, Cluster):
            return [(self.client, range(CELLS))]
        try:
            return list(self.client.servers())
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error

    def load_functions(self) -> None:
        """Make this release's functions known to every server, and drop those of older layouts."""
        for server, _ in self._servers():
            _load(server, library.load_command(), library.is_needless)
            _load(server, library.unload_older(), library.is_gone)

    def run_id(self) -> str:
        """The server's run id: another one after each start."""
        try:
            return str(self.client.info("server")["run_id"])
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error

    def run_ids(self) -> list[str]:
        """By cell: the run id of the server that holds it; empty while that one is away."""
        found, said = [""] * CELLS, "No server holds a cell."
        for server, cells in self._servers():
            try:
                run_id = str(server.info("server")["run_id"])
            except redis.RedisError as error:
                said = str(error)
                if isinstance(self.client, Cluster):
                    self.client.forget()  # another may have taken its place
                continue
            for cell in cells:
                found[cell] = run_id
        if not any(found):
            raise AdmissionUnavailable(said)
        return found

    def read(self, name: str, field: str) -> bytes | None:
        """One field of a hash; ``None`` if there is none."""
        found: bytes | None = self._ask(("HGET", name, field))
        return found

    def text(self, name: str) -> bytes | None:
        """A whole value; ``None`` if there is none."""
        found: bytes | None = self._ask(("GET", name))
        return found

    def grant(self, org_code: str, sha256: str) -> Grant | None:
        """What the gateway knows about a key now; ``None`` if it refuses it."""
        name = keys.grant(org_code, sha256)
        blob, revoked = self._ask(("HMGET", name, "blob", "revoked"))
        return decode(blob) if blob and revoked == b"0" else None

    def admit(self, org_code: str, **wish: Any) -> Admitted:
        """A hold as the gateway takes one. ``Refused`` if the answer is no."""
        return calls.read_admitted(self._ask(calls.admit(cell_of(org_code), **wish)))

    def release(self, org_code: str, request_id: str) -> None:
        """Free a hold of which nothing came."""
        self._ask(calls.release(cell_of(org_code), request_id))

    def demand(self) -> list[bytes]:
        """What each gateway told lately, encoded (``portal.routing.demand``)."""
        try:
            found: dict[Any, Any] = self.client.hgetall(keys.DEMAND)
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error
        return list(found.values())

    def forget_answers(self, org_code: str, request_ids: Sequence[str]) -> None:
        """Answers that were kept for who asked, and who has them now."""
        cell = cell_of(org_code)
        self._ask(("DEL", *(keys.answer(cell, one) for one in request_ids)))

    def last_uses(self, cell: int) -> dict[str, tuple[int, str]]:
        """Key → when (Unix milliseconds) and from which address it was last used."""
        found = {}
        for key, told in self._ask(("HGETALL", keys.seen(cell))).items():
            at, _, address = told.decode().partition(" ")
            found[key.decode()] = (int(at), address)
        return found

    def publish_grants(self, grants: Iterable[tuple[str, Grant, bool]]) -> None:
        """(sha256, grant, revoked), many in one round trip; older numbers change nothing."""
        self._many(
            calls.publish_grant(cell_of(grant.org_code), sha256=sha, grant=grant, revoked=revoked)
            for sha, grant, revoked in grants
        )

    def note_ended(self, hashes: Collection[str]) -> None:
        """Whoever publishes grants shall tell these keys' again, as PostgreSQL has them then."""
        if not hashes:
            return
        try:
            self.client.sadd(keys.ENDED, *hashes)
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error

    def take_ended(self) -> set[str]:
        """The hashes that were noted since the last time; nobody else gets them."""
        found: set[str] = set()
        try:
            while some := self.client.spop(keys.ENDED, PIPELINE_CALLS):
                found |= {one.decode() for one in some}  # type: ignore[union-attr]
        except redis.RedisError as error:
            raise AdmissionUnavailable(str(error)) from error
        return found

    def many(self, commands: Iterable[Command]) -> list[Any]:
        """All replies in order; an error of one ends it, and later ones may not be executed."""
        return self._many(commands)

    def _many(self, commands: Iterable[Command]) -> list[Any]:
        replies: list[Any] = []
        for some in batched(commands, PIPELINE_CALLS):
            pipe = self.client.pipeline(transaction=False)
            for command in some:
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            try:
                replies += pipe.execute()
            except redis.RedisError as error:
                raise AdmissionUnavailable(str(error)) from error
        return replies

    def set_limit(
        self,
        org_code: str,
        *,
        subject: str,
        limit_micro: int,
        hard: bool,
        number: int,
        later: Later = (),
    ) -> None:
        """``Refused``: ``below_used``, with what is used in ``left``, or ``older_number``."""
        calls.read_limit(
            self._ask(
                calls.set_limit(
                    cell_of(org_code),
                    subject=subject,
                    limit_micro=limit_micro,
                    hard=hard,
                    number=number,
                    later=later,
                )
            )
        )

    def known_limits(self, org_code: str, limits_named: Sequence[str]) -> set[str]:
        """Those of these limits that were ever published."""
        cell = cell_of(org_code)
        if not limits_named:
            return set()
        fields = [f"limit:{name}" for name in limits_named]
        found = self._ask(("HMGET", keys.limits(cell), *fields))
        return {name for name, text in zip(limits_named, found, strict=True) if text is not None}

    def begin(self, org_code: str, *, limit: str, period: str, spent_micro: int) -> None:
        """What a new budget's period has spent by now; nothing happens once it was published."""
        command = calls.begin(
            cell_of(org_code), limit=limit, period=period, spent_micro=spent_micro
        )
        self._ask(command)

    def set_more(self, org_code: str, *, subject: str, names: Sequence[str]) -> None:
        """Which budgets count what a subject uses besides that of its own name by month."""
        self._ask(calls.set_more(cell_of(org_code), subject=subject, names=names))

    def limits(self, org_code: str, sha256s: Sequence[str], *, whole: str = "") -> Reading:
        """How these keys stand now, in one round trip; with the grant of ``whole``."""
        command = limits.read(cell_of(org_code), sha256s, whole=whole)
        return limits.reading(self._ask(command))

    def standing(self, org_code: str, *, subject: str, month: str) -> BudgetStanding | None:
        """How a budget stands now, by its name in a chain; ``None`` if it was never published."""
        reply = self._ask(calls.read_budget(cell_of(org_code), subject=subject, month=month))
        return calls.read_standing(reply)

    def standings(
        self, org_code: str, names: Sequence[str], *, month: str
    ) -> dict[str, BudgetStanding]:
        """How budgets stand in the periods of a month, in one question; those that were never
        published are left out."""
        found = self.standings_of([(org_code, name) for name in names], month=month)
        return found.get(org_code, {})

    def standings_of(
        self, wanted: Sequence[tuple[str, str]], *, month: str
    ) -> dict[str, dict[str, BudgetStanding]]:
        """The same of many organizations: (code, name) → standings by code and name."""
        found: dict[str, dict[str, BudgetStanding]] = defaultdict(dict)
        replies = self._many(
            calls.read_budget(cell_of(code), subject=name, month=month) for code, name in wanted
        )
        for (code, name), reply in zip(wanted, replies, strict=True):
            standing = calls.read_standing(reply)
            if standing is not None:
                found[code][name] = standing
        return found

    def reserve(
        self, org_code: str, *, reference: str, month: str, amount_micro: int, subjects: list[str]
    ) -> None:
        """``Refused`` if a hard budget has no room for it."""
        calls.read_reserved(
            self._ask(
                calls.reserve(
                    cell_of(org_code),
                    reference=reference,
                    month=month,
                    amount_micro=amount_micro,
                    subjects=subjects,
                )
            )
        )

    def commit(
        self, org_code: str, *, reference: str, month: str, amount_micro: int, subjects: list[str]
    ) -> None:
        """Committed with this amount, whatever was known of it."""
        self._ask(
            calls.commit(
                cell_of(org_code),
                reference=reference,
                month=month,
                amount_micro=amount_micro,
                subjects=subjects,
            )
        )

    def unreserve(self, org_code: str, *, reference: str, month: str) -> None:
        """Free what an order that was not kept had held."""
        self._ask(calls.unreserve(cell_of(org_code), reference=reference, month=month))

    def unreserve_in(self, cell: int, *, reference: str, month: str) -> None:
        """As ``unreserve``, for a hold of which only the cell is known."""
        self._ask(calls.unreserve(cell, reference=reference, month=month))

    def stale_orders(self, cell: int, *, older_ms: int) -> list[tuple[str, str]]:
        """At most 100 (reference, month) held for longer: commit those that have a row, free
        the others."""
        return calls.read_stale_orders(self._ask(calls.stale_orders(cell, older_ms=older_ms)))

    def charge_late(
        self, cell: int, *, request_id: str, cost_micro: int, month: str, subjects: list[str]
    ) -> int:
        """What was charged of a late event, in micro-won."""
        command = calls.charge_late(
            cell, request_id=request_id, cost_micro=cost_micro, month=month, subjects=subjects
        )
        return int(self._ask(command))

    def restore(
        self,
        org_code: str,
        *,
        subject: str,
        month: str,
        spent_micro: int,
        committed_micro: int | None,
        last_event: str = "",
    ) -> bool:
        """Counters from the ledger. ``False`` if the cell is open, or its stream went on after
        ``last_event``: then nothing was set. See ``calls.restore``."""
        command = calls.restore(
            cell_of(org_code),
            subject=subject,
            month=month,
            spent_micro=spent_micro,
            committed_micro=committed_micro,
            last_event=last_event,
        )
        return calls.read_restored(self._ask(command))

    def epochs(self) -> list[int]:
        """The epoch of each cell; 0 where it is closed."""
        return [int(one or 0) for one in self._many(_gets(keys.epoch))]

    def opened_on(self) -> list[str]:
        """By cell: the run id of the server that it was opened on; empty where nobody said."""
        return [one.decode() if one else "" for one in self._many(_gets(keys.run))]

    def open_cells(self, epoch: int, run_id: str | Mapping[int, str] = "") -> None:
        """Open cells at this epoch: all, on the server of this run id, or those that are named
        with theirs. ``Refused`` (older) if one had a newer epoch."""
        runs = dict.fromkeys(range(CELLS), run_id) if isinstance(run_id, str) else run_id
        for reply in self._many(calls.open_cell(cell, epoch, run) for cell, run in runs.items()):
            calls.read_opened(reply)

    def close_cells(
        self,
        round_number: int | None = None,
        booked: Mapping[int, str] | None = None,
        cells: Iterable[int] = range(CELLS),
    ) -> None:
        """Close these cells, for a round of the fence if one is given; ``booked`` is the last
        event of each cell that the ledger has. ``Refused`` (older): another's round is newer."""
        for reply in self._many(
            calls.close_cell(cell, round_number, (booked or {}).get(cell, "0-0")) for cell in cells
        ):
            calls.read_opened(reply)


def _gets(name: Callable[[int], str]) -> Iterable[Command]:
    return (("GET", name(cell)) for cell in range(CELLS))


def _load(server: redis.Redis, command: Command, may_fail: Callable[[str], bool]) -> None:
    try:
        server.execute_command(*command)  # type: ignore[no-untyped-call]
    except redis.RedisError as error:
        if not may_fail(str(error)):
            raise AdmissionUnavailable(str(error)) from error
