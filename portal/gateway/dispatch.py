"""Which target answers, and which is tried next. Pure: no clock, no network, no memory.

Only sites that the grant names are ever looked at; there is no fallback outside of them.
"""

from __future__ import annotations

from collections.abc import Container, Mapping

from portal.routing.table import EndpointRoutes, SiteInfo, Target

_RANK = {"healthy": 0, "degraded": 1}


class NoTarget(Exception):
    """Nobody may answer; ``rule`` says which rule left nobody, for the reader."""

    def __init__(self, rule: str) -> None:
        super().__init__(rule)
        self.rule = rule


def choose(
    routes: EndpointRoutes,
    sites: Mapping[str, SiteInfo],
    *,
    allowed: Container[str],
    data_class: str,
    in_flight: Mapping[str, int],
    cooling: Container[str] = (),
    failed: Container[str] = (),
    turn: int = 0,
) -> Target:
    """The best target: healthy first, those that failed a moment ago last, then the least load
    for its weight; equals take turns. ``NoTarget`` names the rule that left none."""
    permitted = [target for target in routes.targets if target.site in allowed]
    if not permitted:
        raise NoTarget(_rule(routes, data_class))
    alive = [target for target in permitted if _state(target, sites) != "out"]
    if not alive:
        raise NoTarget(
            "every site that this key and its data class allow is out of service: "
            f"{_names(permitted)}."
        )
    untried = [target for target in alive if target.id not in failed]
    if not untried:
        raise NoTarget(f"none of the allowed sites answered: {_names(alive)}.")
    count = len(untried)
    return min(
        enumerate(untried),
        key=lambda pair: (
            pair[1].id in cooling,
            _RANK[_state(pair[1], sites)],
            in_flight.get(pair[1].id, 0) / max(pair[1].weight, 1),
            (pair[0] - turn) % count,
        ),
    )[1]


def answering(
    routes: EndpointRoutes | None, sites: Mapping[str, SiteInfo], allowed: Container[str]
) -> list[str]:
    """The allowed sites where a replica may answer now, by name."""
    targets = routes.targets if routes else ()
    return sorted(
        {one.site for one in targets if one.site in allowed and _state(one, sites) != "out"}
    )


def _state(target: Target, sites: Mapping[str, SiteInfo]) -> str:
    """The worse of the target's own state and its site's."""
    site = sites.get(target.site)
    if target.state == "out" or (site is not None and site.state == "out"):
        return "out"
    degraded = target.state == "degraded" or (site is not None and site.state == "degraded")
    return "degraded" if degraded else "healthy"


def _names(targets: list[Target]) -> str:
    return ", ".join(sorted({target.site for target in targets}))


def _rule(routes: EndpointRoutes, data_class: str) -> str:
    if not routes.targets:
        return "no replica of this model is running yet."
    return (
        f"data of the class '{data_class}' and the sites of this key allow none of the sites "
        "where this model runs. An administrator can change the sites of the project or the key."
    )
