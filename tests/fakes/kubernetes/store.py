"""The objects, their versions, who owns which field, and what happened lately."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Key = tuple[str, str, str]  # kind, namespace, name
Json = dict[str, Any]
BIRTH = datetime(2026, 11, 1, tzinfo=UTC)


class Status(Exception):
    """What an API server answers instead of an object."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.body = {
            "apiVersion": "v1",
            "kind": "Status",
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
        }


def key_of(thing: Json) -> Key:
    return thing["kind"], thing["metadata"].get("namespace", ""), thing["metadata"]["name"]


def leaves(thing: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every field of an applied object with its value; a list is one field."""
    if isinstance(thing, dict) and thing:
        for name, value in thing.items():
            yield from leaves(value, (*path, name))
    else:
        yield path, thing


def at(thing: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        thing = thing.get(name) if isinstance(thing, dict) else None
    return thing


def put(thing: Json, path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        thing = thing.setdefault(name, {})
    thing[path[-1]] = copy.deepcopy(value)


def drop(thing: Json, path: tuple[str, ...]) -> None:
    holder = at(thing, path[:-1])
    if isinstance(holder, dict):
        holder.pop(path[-1], None)


class Store:
    """Everything in the cluster. ``clock`` is seconds since it was made."""

    def __init__(self) -> None:
        self.objects: dict[Key, Json] = {}
        self.owners: dict[Key, dict[str, set[tuple[str, ...]]]] = {}  # manager → its fields
        self.history: list[tuple[int, str, Json]] = []
        self.version = 100
        self.clock = 0

    def now(self) -> str:
        return (BIRTH + timedelta(seconds=self.clock)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def get(self, kind: str, namespace: str, name: str) -> Json:
        found = self.objects.get((kind, namespace, name))
        if found is None:
            raise Status(404, "NotFound", f"{kind} {name!r} not found")
        return found

    def of(self, kind: str, namespace: str = "") -> list[Json]:
        """Of one kind, in the order of their names."""
        found = [one for key, one in sorted(self.objects.items()) if key[0] == kind]
        return [one for one in found if not namespace or one["metadata"]["namespace"] == namespace]

    def note(self, event: str, thing: Json) -> None:
        """A new version of an object, and an event for those who watch."""
        self.version += 1
        thing["metadata"]["resourceVersion"] = str(self.version)
        self.history.append((self.version, event, copy.deepcopy(thing)))

    def create(self, thing: Json) -> Json:
        key = key_of(thing)
        if key in self.objects:
            raise Status(409, "AlreadyExists", f"{key[0]} {key[2]!r} already exists")
        if key[1] and ("Namespace", "", key[1]) not in self.objects:
            raise Status(404, "NotFound", f"namespaces {key[1]!r} not found")
        made = copy.deepcopy(thing)
        made["metadata"] |= {"uid": str(uuid.uuid4()), "creationTimestamp": self.now()}
        made["metadata"].setdefault("generation", 1)
        self.objects[key] = made
        self.note("ADDED", made)
        return made

    def replace(self, thing: Json) -> Json:
        """PUT: only over the version that was read."""
        old = self.get(*key_of(thing))
        self.compare(thing, old)
        kept = {name: old["metadata"][name] for name in ("uid", "creationTimestamp")}
        made = copy.deepcopy(thing)
        made["metadata"] |= kept
        self.objects[key_of(thing)] = made
        self.note("MODIFIED", made)
        return made

    def compare(self, thing: Json, old: Json) -> None:
        version = thing["metadata"].get("resourceVersion")
        if version is not None and version != old["metadata"]["resourceVersion"]:
            raise Status(
                409, "Conflict", "the object has been modified; please apply your changes to it"
            )

    def delete(self, key: Key, uid: str | None = None) -> Json:
        found = self.get(*key)
        if uid is not None and found["metadata"]["uid"] != uid:
            raise Status(409, "Conflict", "the UID in the precondition does not match")
        del self.objects[key]
        self.owners.pop(key, None)
        self.note("DELETED", found)
        return found

    def apply(self, thing: Json, manager: str, *, force: bool) -> Json:
        """Server-side apply: take the fields, leave those of others, drop what is not said."""
        key = key_of(thing)
        fields = {path: value for path, value in leaves(thing) if not _identity(path)}
        live = self.objects.get(key)
        if live is None:
            if thing["metadata"].get("resourceVersion") is not None:
                raise Status(409, "Conflict", "the object does not exist")
            live = self.create(thing)
        else:
            self.compare(thing, live)
            self._merge(key, live, fields, manager, force=force)
        self.owners.setdefault(key, {})[manager] = set(fields)
        return live

    def _merge(
        self, key: Key, live: Json, fields: dict[Any, Any], manager: str, *, force: bool
    ) -> None:
        owners = self.owners.setdefault(key, {})
        for other, theirs in owners.items():
            taken = {
                path for path, value in fields.items() if path in theirs and at(live, path) != value
            }
            if other != manager and taken and not force:
                names = ", ".join(".".join(path) for path in sorted(taken))
                raise Status(409, "Conflict", f'Apply failed: conflict with "{other}": {names}')
            if other != manager:
                theirs -= taken
        others = set().union(*(theirs for name, theirs in owners.items() if name != manager))
        changed = copy.deepcopy(live)
        for path in owners.get(manager, set()) - set(fields) - others:
            drop(changed, path)
        for path, value in fields.items():
            if not covers(at(live, path), value):
                put(changed, path, value)
        if changed != live:
            if changed.get("spec") != live.get("spec"):
                changed["metadata"]["generation"] = live["metadata"].get("generation", 1) + 1
            live.clear()
            live.update(changed)
            self.note("MODIFIED", live)

    def edit(self, key: Key, manager: str, path: tuple[str, ...], value: Any) -> None:
        """As ``kubectl edit`` by somebody else: the field is then theirs."""
        live = self.get(*key)
        put(live, path, value)
        owners = self.owners.setdefault(key, {})
        for theirs in owners.values():
            theirs.discard(path)
        owners.setdefault(manager, set()).add(path)
        self.note("MODIFIED", live)


def covers(live: Any, wanted: Any) -> bool:
    """Whether a list says what was applied, beside defaults that the server put into it."""
    if isinstance(wanted, dict):
        return isinstance(live, dict) and all(covers(live.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(live, list) and len(live) == len(wanted) and all(map(covers, live, wanted))
        )
    return bool(live == wanted)


def _identity(path: tuple[str, ...]) -> bool:
    return (
        path in {("apiVersion",), ("kind",)}
        or path[-1] in {"resourceVersion"}
        or (path[0] == "metadata" and path[-1] in {"name", "namespace"} and len(path) == 2)
    )
