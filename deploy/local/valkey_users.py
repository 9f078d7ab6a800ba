"""Who may do what in the admission Valkey: one user for each program, nobody else.

A function runs with the rights of whoever calls it, so a program needs the commands and keys of
the functions that it calls, and no more. ``docs/operating.md`` shows how to make the same users on
a server of one's own.
"""

from __future__ import annotations

from dataclasses import dataclass

_HELLO = (
    "auth hello ping select client|setinfo client|setname info time cluster|slots fcall fcall_ro"
)
_RECORDS = "get mget set del exists expire hget hmget hset hdel hincrby"
_LEASES = "zadd zrem zrange"

# Each cell's keys begin with its tag, which is given to every function as its key.
# Rules are tried in their order on every access, and longer names take longer to be found other:
# what requests touch stands first, the longest names before the others.
_HOLDS = "~{c*}:request:* ~{c*}:used:* %R~{c*}:limits ~{c*}:leases ~{c*}:months"
_FENCE = "%R~{c*}:opened %R~{c*}:run %R~{c*}:closed %R~{c*}:counting"


@dataclass(frozen=True)
class User:
    """``keys`` are patterns (``%R~``: only to read, ``%W~``: only to write); in brackets commands
    that are allowed with some patterns alone."""

    name: str
    keys: str
    commands: str

    def line(self, password: str) -> str:
        """As it stands in the server's configuration."""
        allowed = " ".join(f"+{one}" for one in self.commands.split())
        return f"user {self.name} reset on >{password} {self.keys} {allowed}"


GATEWAY = User(
    "gateway",
    f"%R~{{c*}}:grant:* {_HOLDS} %W~{{c*}}:events {_FENCE} ~{{c*}} "
    "%W~{c*}:orphans ~{c*}:idem:* ~{c*}:answer:* ~{c*}:seen "
    "%R~routes:index %R~routes:parts ~demand "
    "%R~fence:round %R~fence:rounds %R~fence:passed ~fence:answers ~unserved",
    f"{_HELLO} {_RECORDS} {_LEASES} xadd xlen",
)
PUBLISHER = User(
    "publisher",
    "~{c*} ~{c*}:grant:* ~{c*}:limits ~{c*}:used:* ~{c*}:months "
    "~{c*}:opened ~{c*}:last_epoch ~{c*}:run ~{c*}:closed ~{c*}:counting "
    "~{c*}:order:* ~{c*}:reserved ~{c*}:events %R~{c*}:late:* ~routes:* %R~demand ~fence:* "
    "%R~{c*}:orphans ~{c*}:leases (+get +del ~{c*}:request:*)",
    f"{_HELLO} {_RECORDS} {_LEASES} hgetall expireat unlink scan sadd spop srem smembers "
    "multi exec discard xadd xdel xlen xrange xrevrange xinfo|stream "
    "xsetid xgroup|create xgroup|destroy function|load function|list function|delete",
)
INTAKE = User(
    "intake",
    "~{c*} ~{c*}:events ~{c*}:orphans ~{c*}:late:* %R~{c*}:limits ~{c*}:used:* ~{c*}:months "
    f"{_FENCE} ~fence:passed",
    f"{_HELLO} {_RECORDS} xread xrange xrevrange xtrim xdel xlen xinfo|stream",
)
PORTAL = User(  # web, worker and beat
    "portal",
    f"~{{c*}} {_HOLDS} %W~{{c*}}:limits {_FENCE} ~{{c*}}:grant:* "
    "~{c*}:order:* ~{c*}:reserved ~{c*}:late:* %W~{c*}:answer:* "
    "%R~{c*}:seen %R~{c*}:idem:* %R~{c*}:events %R~routes:index %R~routes:parts ~routes:ended "
    "%R~demand (+xrange +xtrim ~unserved)",
    f"{_HELLO} {_RECORDS} {_LEASES} hgetall expireat sadd xlen xinfo|stream",
)
PROGRAMS = (GATEWAY, PUBLISHER, INTAKE, PORTAL)
OPERATOR = User("operator", "~*", "@all")  # a person, and the tests


def lines(passwords: dict[str, str]) -> list[str]:
    """The users' lines, by name → password. The nameless user of old is off."""
    users = (OPERATOR, *PROGRAMS)
    return ["user default reset off", *(one.line(passwords[one.name]) for one in users)]


def main() -> None:
    """What to say to a server of one's own, without passwords."""
    for one in PROGRAMS:
        print("ACL SETUSER " + one.line("PASSWORD").removeprefix("user "))


if __name__ == "__main__":
    main()
