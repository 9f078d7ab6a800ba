"""Power and cooling as a small site would show them. Simulated, computed from the load.

A place for exporters and a BMC: today two numbers and a temperature.
"""

from __future__ import annotations

from collections.abc import Iterable

from portal.fleet.drivers.contract import CardReport, PowerReport

# Watts of one card: (idle, busy). Idle as vendors' tools show it, busy as TDP.
CARD_WATTS = {"rngd": (38, 180), "atom-max": (75, 350), "atom-plus": (18, 130)}
HOST_WATTS = 220.0
COOLING_SHARE = 0.22


def read(cards: Iterable[CardReport]) -> PowerReport:
    """Watts of the machines and of the whole site, and the temperature at the inlet."""
    watts = HOST_WATTS
    for card in cards:
        idle, busy = CARD_WATTS.get(card.chip, (40, 200))
        watts += busy * 0.6 if card.state == "used" else idle
    return PowerReport(
        it_watts=round(watts, 1),
        facility_watts=round(watts * (1 + COOLING_SHARE), 1),
        inlet_celsius=23.5,
    )
