"""Public holidays of Korea on which the operator does not answer. A dated table, for known years.

Source: 공휴일에 관한 법률 (as amended in 2026: 제헌절 and 노동절), 관공서의 공휴일에 관한 규정
제2조 and 제3조 (substitute days), and the 월력요항 of 2026 and 2027 (우주항공청; read on
2026-11-26). Election days stand here too; a temporary holiday is added when it is announced.
"""

from __future__ import annotations

from datetime import date

_TABLE: dict[int, str] = {
    2026: (
        "01-01 02-16 02-17 02-18 03-01 03-02 05-01 05-05 05-24 05-25 06-03 06-06 "
        "07-17 08-15 08-17 09-24 09-25 09-26 10-03 10-05 10-09 12-25"
    ),
    2027: (
        "01-01 02-06 02-07 02-08 02-09 03-01 05-01 05-03 05-05 05-13 06-06 07-17 07-19 "
        "08-15 08-16 09-14 09-15 09-16 10-03 10-04 10-09 10-11 12-25 12-27"
    ),
}
YEARS = frozenset(_TABLE)
HOLIDAYS = frozenset(
    date.fromisoformat(f"{year}-{day}") for year, days in _TABLE.items() for day in days.split()
)
