"""The status API's answers, read. Pure: bytes in, businesses out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from tenants.registry.contract import Business, BusinessStatus, RegistryUnavailable

# Codes of the National Tax Service (b_stt_cd). Empty: it does not know the number.
STATUSES = {
    "01": BusinessStatus.ACTIVE,
    "02": BusinessStatus.SUSPENDED,
    "03": BusinessStatus.CLOSED,
    "": BusinessStatus.UNKNOWN,
}


class _Row(msgspec.Struct):
    b_no: str
    b_stt_cd: str
    tax_type: str = ""
    end_dt: str = ""


class _Answer(msgspec.Struct):
    status_code: str
    data: list[_Row] = []


def businesses(raw: bytes, *, asked: Sequence[str]) -> dict[str, Business]:
    """What was said of the numbers that were asked. Others are dropped: nobody asked for them.

    ``RegistryUnavailable`` for anything that is not an answer, and for two answers about one
    number that contradict each other.
    """
    try:
        answer = msgspec.json.decode(raw, type=_Answer)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RegistryUnavailable(f"The answer makes no sense: {error}") from error
    if answer.status_code != "OK":
        raise RegistryUnavailable(f"The registry says {answer.status_code[:40]!r}.")
    found: dict[str, Business] = {}
    for row in answer.data:
        if row.b_no not in asked:
            continue
        one = _business(row)
        if found.setdefault(row.b_no, one) != one:
            raise RegistryUnavailable("The registry contradicts itself.")
    return found


def _business(row: _Row) -> Business:
    status = STATUSES.get(row.b_stt_cd)
    if status is None:
        raise RegistryUnavailable(f"Unknown status {row.b_stt_cd[:8]!r}.")
    tax_type = row.tax_type if status is not BusinessStatus.UNKNOWN else ""
    return Business(row.b_no, status, tax_type[:80], _day(row.end_dt))


def _day(text: str) -> date | None:
    """``20261120``; a date that is none is left out: only the status decides."""
    try:
        return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day, not a moment
    except ValueError:
        return None
