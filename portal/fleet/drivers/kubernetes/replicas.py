"""What became of each placement, read out of its Deployment and pods. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from portal.fleet.drivers.contract import ReplicaReport, ReplicaState
from portal.fleet.drivers.kubernetes.names import (
    EPOCH,
    MODEL_DIGEST,
    PLACEMENT,
    Object,
    labels,
    marks,
    meta,
    number,
)
from portal.fleet.drivers.kubernetes.own_weights import FETCHER
from portal.fleet.drivers.kubernetes.site import Refusal, SiteSettings

# Reasons of a waiting container that do not pass by themselves soon, and what they mean.
STUCK = {
    "CrashLoopBackOff": "The engine ends again and again; its log tells why.",
    "ImagePullBackOff": "The server's image cannot be fetched.",
    "ErrImagePull": "The server's image cannot be fetched.",
    "InvalidImageName": "The server's image has an impossible name.",
    "CreateContainerError": "The node cannot start the engine.",
    "RunContainerError": "The node cannot start the engine.",
}
NOT_FETCHED = {
    "CrashLoopBackOff": "The weights could not be fetched; the log tells why.",
    "ImagePullBackOff": "The image of what fetches the weights cannot be fetched.",
    "ErrImagePull": "The image of what fetches the weights cannot be fetched.",
}
LOST_SETTINGS = "CreateContainerConfigError"  # its Secret is missing; told again, it comes back


class Seen(NamedTuple):
    """State, since when (Unix ms), and the sentence."""

    state: ReplicaState
    since_ms: int
    because: str


def by_placement(pods: Iterable[Object]) -> dict[str, list[Object]]:
    """Pods of each placement, the newest last."""
    found: dict[str, list[Object]] = defaultdict(list)
    for pod in sorted(pods, key=lambda pod: str(meta(pod).get("creationTimestamp"))):
        found[labels(pod).get(PLACEMENT, "")].append(pod)
    return dict(found)


def reports(
    settings: SiteSettings,
    deployments: Iterable[Object],
    services: Iterable[Object],
    pods: Iterable[Object],
    holder: Mapping[str, str],
    refused: Mapping[str, Refusal],
) -> tuple[ReplicaReport, ...]:
    """Every placement that the cluster runs, still ends, or could not be told."""
    theirs = by_placement(pods)
    doors = {labels(one).get(PLACEMENT, ""): one for one in services}
    wanted = {labels(one).get(PLACEMENT, ""): one for one in deployments}
    found = []
    for name, deployment in wanted.items():
        mine = theirs.pop(name, [])
        url = _url(settings, mine, doors.get(name))
        seen = _seen(deployment, mine, pods, url)
        if seen.state != "ready":
            url = None
            if name in refused:  # its Deployment is there, the rest of it is not
                seen = seen._replace(state="failed", because=refused[name].because)
        found.append(_report(name, deployment, mine, seen, url, holder))
    for name, left in theirs.items():
        since = _milliseconds(meta(left[-1]).get("deletionTimestamp"))
        seen = Seen("stopping", since, "No longer wanted.")
        found.append(_report(name, left[-1], left, seen, None, holder))
    known = {one.placement for one in found}
    found += [
        ReplicaReport(placement=name, epoch=one.epoch, state="failed", because=one.because)
        for name, one in refused.items()
        if name not in known
    ]
    return tuple(one for one in found if one.placement)


def _report(
    name: str,
    thing: Object,
    pods: list[Object],
    seen: Seen,
    url: str | None,
    holder: Mapping[str, str],
) -> ReplicaReport:
    return ReplicaReport(
        placement=name,
        epoch=number(labels(thing).get(EPOCH)),
        state=seen.state,
        url=url,
        cards=tuple(sorted(card for card, who in holder.items() if who == name)),
        model_digest=marks(pods[-1]).get(MODEL_DIGEST, "") if pods else "",
        restarts=_restarts(pods[-1]) if pods else 0,
        since_ms=seen.since_ms,
        because=seen.because[:300],
    )


def _seen(
    deployment: Object, pods: list[Object], everyone: Iterable[Object], url: str | None
) -> Seen:
    """The newest pod of the Deployment's own epoch decides."""
    epoch = labels(deployment).get(EPOCH)
    own = [pod for pod in pods if labels(pod).get(EPOCH) == epoch and not _ending(pod)]
    if not own:
        failure = _condition(deployment, "ReplicaFailure")
        if failure.get("status") == "True":
            because = f"The cluster makes no pod: {failure.get('message', '')}"
            return Seen("failed", _milliseconds(failure.get("lastTransitionTime")), because)
        since = _milliseconds(meta(deployment).get("creationTimestamp"))
        return Seen("starting", since, "The cluster is about to start the engine.")
    return _of_pod(own[-1], everyone, url)


def _of_pod(pod: Object, everyone: Iterable[Object], url: str | None) -> Seen:
    ready = _condition(pod, "Ready")
    since = _milliseconds(ready.get("lastTransitionTime") or meta(pod).get("creationTimestamp"))
    if ready.get("status") == "True":
        if url is None:
            return Seen("starting", since, "The engine answers; its address is not there yet.")
        return Seen("ready", since, "The engine answers.")
    placed = _condition(pod, "PodScheduled")
    if placed.get("status") == "False":
        return _unplaced(placed, since, everyone)
    if (pod.get("status") or {}).get("phase") == "Failed":
        return Seen("failed", since, f"The pod failed: {(pod['status'].get('reason') or '')}")
    if (fetching := _fetching(pod, since)) is not None:
        return fetching
    reason, message = _waiting(pod)
    if reason in STUCK:
        return Seen("failed", since, f"{STUCK[reason]} {message}".strip())
    if 0 < _running_since(pod) < since:  # it was ready in this life, and is no longer
        return Seen("failed", since, "The engine has stopped answering.")
    return Seen("starting", since, "The engine is starting.")


def _fetching(pod: Object, since: int) -> Seen | None:
    """What is said of a container that runs before the engine; ``None`` when it is done."""
    for one in _fetchers(pod):
        state = one.get("state") or {}
        if (state.get("terminated") or {}).get("exitCode") == 0:
            continue
        waiting = state.get("waiting") or {}
        reason = str(waiting.get("reason", ""))
        if reason not in STUCK:
            return Seen("starting", since, "Its weights are being fetched.")
        ended = (one.get("lastState") or {}).get("terminated") or {}
        lines = str(ended.get("message") or "").split("\n")
        said = [line.strip() for line in lines if line.strip()]
        if reason == "CrashLoopBackOff" and said:
            return Seen("failed", since, said[-1])
        because = NOT_FETCHED.get(reason, STUCK[reason])
        return Seen("failed", since, f"{because} {waiting.get('message', '')}".strip())
    return None


def _unplaced(placed: Mapping[str, Any], since: int, everyone: Iterable[Object]) -> Seen:
    """A card that another pod is giving back is no lack of cards."""
    if any(_ending(pod) for pod in everyone):
        return Seen("starting", since, "Waits for a card that is being given back.")
    because = f"No card is free for it: {placed.get('message', '')}"
    return Seen("failed", since, because)


def loses_settings(pod: Object) -> bool:
    """Whether the pod cannot start because its Secret is gone."""
    return _waiting(pod)[0] == LOST_SETTINGS


def _ending(pod: Object) -> bool:
    return bool(meta(pod).get("deletionTimestamp"))


def _statuses(pod: Object, kind: str = "containerStatuses") -> list[Mapping[str, Any]]:
    found = (pod.get("status") or {}).get(kind) or []
    return [one for one in found if isinstance(one, dict)]


def _fetchers(pod: Object) -> list[Mapping[str, Any]]:
    return [one for one in _statuses(pod, "initContainerStatuses") if one.get("name") == FETCHER]


def _waiting(pod: Object) -> tuple[str, str]:
    for one in _statuses(pod):
        waiting = (one.get("state") or {}).get("waiting") or {}
        if waiting:
            return str(waiting.get("reason", "")), str(waiting.get("message", ""))
    return "", ""


def _running_since(pod: Object) -> int:
    """Unix milliseconds; 0 if no container runs."""
    running = [(one.get("state") or {}).get("running") or {} for one in _statuses(pod)]
    return max((_milliseconds(one.get("startedAt")) for one in running), default=0)


def _restarts(pod: Object) -> int:
    every = (*_fetchers(pod), *_statuses(pod))
    return sum(number(one.get("restartCount", 0)) for one in every)


def _condition(thing: Object, kind: str) -> Mapping[str, Any]:
    found = (thing.get("status") or {}).get("conditions") or ()
    return next((one for one in found if one.get("type") == kind), {})


def _url(settings: SiteSettings, pods: list[Object], service: Object | None) -> str | None:
    """Where gateways reach the engine; ``None`` as long as the cluster gave it no address."""
    if service is None or not pods:
        return None
    place, ports = meta(service), (service.get("spec") or {}).get("ports") or [{}]
    if settings.reach == "cluster":
        return f"http://{place.get('name')}.{place.get('namespace')}.svc:{ports[0].get('port')}"
    host, port = (pods[-1].get("status") or {}).get("hostIP"), number(ports[0].get("nodePort"))
    if not host or not 0 < port < 65_536:
        return None
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _milliseconds(text: Any) -> int:
    """Unix milliseconds of an RFC 3339 time; 0 if it is none."""
    try:
        return int(datetime.fromisoformat(str(text)).timestamp() * 1000)
    except ValueError:
        return 0
