"""The driver of Kubernetes sites: the whole wanted state by server-side apply; what is, by lists.

The cluster does the work: it schedules, restarts, replaces, and collects what a deleted Deployment
owned. Older generations and epochs are refused by a ConfigMap that is only written over the version
that was read; a write to a Deployment names the version that was read, too.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from portal.fleet.drivers.contract import (
    LogLine,
    LogPage,
    PlacementSpec,
    SiteReport,
    SiteSpec,
    SiteUnavailable,
    WishRefused,
)
from portal.fleet.drivers.kubernetes import cards, logs, names, replicas, site, tenancy, workload
from portal.fleet.drivers.kubernetes.client import Client, Refused, access_of
from portal.fleet.drivers.kubernetes.names import Object, labels, marks, meta
from portal.fleet.drivers.kubernetes.site import Refusal, SiteSettings, SiteState
from portal.fleet.drivers.kubernetes.workload import Workload
from portal.fleet.drivers.servers import CannotServe

# Observe, apply, observe: together shorter than a worker's lease (30 s), so that whose lease may
# have ended writes nothing more.
LOOK_SECONDS = 6.0
APPLY_SECONDS = 15.0
LOG_SECONDS = 2.0  # to keep what a stopped placement said
TRIES = 4  # against a Deployment whose status changes under our hands
VERSION = "kubernetes"


class Live(msgspec.Struct, frozen=True):
    """What of ours is in the cluster."""

    deployments: list[Object]
    services: list[Object]
    pods: list[Object]
    policies: list[Object]
    nodes: list[cards.NodeCards]

    def inventory(self) -> str:
        """What a Deployment owned that is gone is the garbage collector's, and not counted."""
        running = {labels(one).get(names.PLACEMENT) for one in self.deployments}
        running.add(None)  # policies of whole organizations
        owned = [*self.services, *self.policies]
        left = [one for one in owned if labels(one).get(names.PLACEMENT) in running]
        return site.inventory_of([*self.deployments, *left])

    def holder(self, state: SiteState) -> dict[str, str]:
        return cards.held(self.nodes, self.pods, state.cards)


class KubernetesDriver:
    """One cluster. ``token``: a bearer token, or JSON with ``token`` and ``ca``."""

    def __init__(self, control_url: str, token: str) -> None:
        self.url = control_url
        self.token = token

    def apply(self, wanted: SiteSpec) -> None:
        with _decided(), self._client(APPLY_SECONDS) as client:
            _Applying(client, wanted).run()

    def observe(self) -> SiteReport:
        with _decided(), self._client() as client:
            settings, state = _home(client)[:2]
            live = _live(client, settings)
        return _report(settings, state, live)

    def logs(self, placement: str, since: int) -> LogPage:
        if not names.PUBLIC_ID.match(placement):
            return logs.page([], since)
        with _decided(), self._client() as client:
            chosen = f"{names.MANAGED_BY}={names.MANAGER},{names.PLACEMENT}={placement}"
            pods = replicas.by_placement(client.every("Pod", selector=chosen)).get(placement)
            if pods:
                return logs.page(_lines(client, pods[-1], since), since)
            found = client.get("ConfigMap", names.HOME, logs.kept_name(placement))
        return logs.read_kept(found, since)

    def _client(self, seconds: float = LOOK_SECONDS) -> Client:
        return Client(self.url, access_of(self.token), seconds=seconds)


@contextlib.contextmanager
def _decided() -> Iterator[None]:
    """What the API server refused and nobody expected is trouble with the site."""
    try:
        yield
    except Refused as error:
        raise SiteUnavailable(f"The cluster refused ({error.status}): {error}") from error


def _home(client: Client) -> tuple[SiteSettings, SiteState, Object | None]:
    """Settings, state, and the state's ConfigMap as it was read."""
    settings = site.read_settings(client.get("ConfigMap", names.HOME, site.SETTINGS))
    found = client.get("ConfigMap", names.HOME, site.STATE)
    return settings, site.read_state(found), found


def _live(client: Client, settings: SiteSettings) -> Live:
    ours = names.selector(settings.site)
    return Live(
        client.every("Deployment", selector=ours),
        client.every("Service", selector=ours),
        client.every("Pod", selector=ours),
        client.every("NetworkPolicy", selector=ours),
        cards.on_nodes(client.every("Node")),
    )


def _report(settings: SiteSettings, state: SiteState, live: Live) -> SiteReport:
    """A generation counts as accepted once it was told whole, and as long as all of it is there."""
    whole = live.inventory() == state.inventory
    whole = whole and not any(replicas.loses_settings(pod) for pod in live.pods)
    holder = live.holder(state)
    return SiteReport(
        site=settings.site,
        at_ms=int(time.time() * 1000),
        generation=state.done if whole else min(state.done, max(state.generation - 1, 0)),
        simulated=any(node.simulated for node in live.nodes),
        cards=cards.reported(live.nodes, holder),
        replicas=replicas.reports(
            settings, live.deployments, live.services, live.pods, holder, state.refused
        ),
        version=VERSION,
    )


def _lines(
    client: Client, pod: Object, since: int, *, seconds: float = LOOK_SECONDS
) -> list[LogLine]:
    """The last ``MOST_LINES`` of the pod's log after ``since``."""
    found: deque[LogLine] = deque(maxlen=logs.MOST_LINES)
    path = f"/api/v1/namespaces/{meta(pod)['namespace']}/pods/{meta(pod)['name']}/log"
    secret = marks(pod).get(names.CREDENTIAL, "")
    for one in logs.containers(pod):
        params = {"container": one.name, "timestamps": "true"}
        params |= {"previous": "true"} if one.previous else {}
        with (
            contextlib.suppress(Refused),  # that life's log is gone already
            client.stream(path, params=params, seconds=seconds) as parts,
        ):
            found.extend(logs.lines_of(parts, one.first, since, secret))
    return list(found)


class _Applying:
    """One run of ``apply``. Repeating it at any point does no harm."""

    def __init__(self, client: Client, wanted: SiteSpec) -> None:
        self.client = client
        self.wanted = wanted
        self.refused: dict[str, Refusal] = {}
        self.told: list[Object] = []

    def run(self) -> None:
        self.settings, state, found = _home(self.client)
        if self.settings.site != self.wanted.site:
            raise SiteUnavailable(
                f"400: the cluster belongs to site {self.settings.site}, not {self.wanted.site}."
            )
        self.live = _live(self.client, self.settings)
        self.pods = replicas.by_placement(self.live.pods)
        state = state.claim(self.wanted)
        state = msgspec.structs.replace(state, cards=self._cards(state))
        found = self._save(found, state)
        workloads = self._workloads()
        fenced = self._fences(workloads)
        self._prune()  # first: who comes may need the cards of who goes
        for one in workloads:
            if one.spec.organization in fenced:
                self._tell(one)
        done = not any(not one.final for one in self.refused.values())
        state = msgspec.structs.replace(
            state,
            refused=self.refused,
            inventory=self._inventory(),
            done=self.wanted.generation if done else state.done,
        )
        self._save(found, state)

    def _inventory(self) -> str:
        """Of what was told, and of what still runs in a form that is no longer understood."""
        left = [
            one
            for one in (*self.live.deployments, *self.live.services, *self.live.policies)
            if labels(one).get(names.PLACEMENT) in self.refused
        ]
        return site.inventory_of([*self.told, *left])

    def _cards(self, state: SiteState) -> dict[str, tuple[str, ...]]:
        """Placement → the cards that it has now, so that it keeps them."""
        found: dict[str, tuple[str, ...]] = {}
        for card, name in sorted(self.live.holder(state).items()):
            found[name] = (*found.get(name, ()), card)
        return found

    def _save(self, found: Object | None, state: SiteState) -> Object:
        """``WishRefused`` if another worker wrote in between: its wish may be newer."""
        where = {"name": site.STATE, "namespace": names.HOME}
        if found is not None:
            where["resourceVersion"] = meta(found)["resourceVersion"]
        text = msgspec.json.encode(state).decode()
        try:
            return self.client.save(
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "metadata": {**where, "labels": names.labels_of(self.settings.site)},
                    "data": {"state": text},
                }
            )
        except Refused as error:
            if error.status == 409:
                raise WishRefused("Another worker tells this site something else.") from error
            raise

    def _workloads(self) -> list[Workload]:
        """What can be told. A placement that cannot run stops no other."""
        found = []
        resources = {node.chip: node.resource for node in self.live.nodes}
        for spec in self.wanted.placements:
            named = spec.resource or resources.get(spec.chip, "")
            try:
                known = msgspec.structs.replace(spec, resource=named)
                found.append(workload.workload_of(known, self.settings))
                tenancy.disruption_budget(self.settings.site, spec)
            except CannotServe as error:
                self._refuse(spec, str(error), final=True)
        return found

    def _refuse(self, spec: PlacementSpec, because: str, *, final: bool) -> None:
        self.refused[spec.id] = Refusal(spec.epoch, because[:300], final)

    def _fences(self, workloads: list[Workload]) -> set[str]:
        """Before the first pod: namespaces with quota and network policy. Which organizations
        have theirs; one that could not be fenced gets nothing started."""
        wanted: dict[str, list[PlacementSpec]] = defaultdict(list)
        self._read_fences()
        spaces = [one for key, one in self.there.items() if key[0] == "Namespace"]
        ours = {labels(space).get(names.ORGANIZATION, "") for space in spaces} - {""}
        for organization in sorted(ours):
            wanted[organization] = []
        for one in workloads:
            wanted[one.spec.organization].append(one.spec)
        done = set()
        for organization, specs in wanted.items():
            try:
                self._fence(organization, specs, known=organization in ours)
                done.add(organization)
            except Refused as error:
                for spec in specs:
                    self._refuse(spec, f"Its namespace: {error}", final=False)
        self._forget_budgets({spec.endpoint for specs in wanted.values() for spec in specs})
        return done

    def _read_fences(self) -> None:
        """What stands around organizations already."""
        ours = names.selector(self.settings.site)
        kinds = ("Namespace", "RoleBinding", "ResourceQuota", "PodDisruptionBudget")
        found = [one for kind in kinds for one in self.client.every(kind, selector=ours)]
        self.there = {_key(one): one for one in [*found, *self.live.policies]}

    def _fence(self, organization: str, specs: list[PlacementSpec], *, known: bool) -> None:
        namespace = names.namespace_of(organization)
        if not known and self.client.get("Namespace", "", namespace) is not None:
            raise Refused(409, "Conflict", f"{namespace} exists and is not Dure's.")
        wanted = {spec.id for spec in specs}
        ending = [
            pod
            for pod in self.live.pods
            if labels(pod).get(names.ORGANIZATION) == organization
            and labels(pod).get(names.PLACEMENT) not in wanted
        ]
        fences = tenancy.fences(organization, specs, self.settings, ending)
        for spec in {spec.endpoint: spec for spec in specs}.values():
            fences.append(tenancy.disruption_budget(self.settings.site, spec))
        for manifest in fences:
            if not names.covers(self.there.get(_key(manifest)), manifest):
                self.client.apply(manifest, force=known)
        self.told += [one for one in fences if one["kind"] == "NetworkPolicy"]

    def _forget_budgets(self, endpoints: set[str]) -> None:
        for (kind, *_), one in self.there.items():
            gone = labels(one).get(names.ENDPOINT) not in endpoints
            if kind == "PodDisruptionBudget" and gone:
                self.client.delete(one)

    def _tell(self, one: Workload) -> None:
        """Deployment, then what it owns. What the cluster refuses concerns this placement only."""
        live = next((d for d in self.live.deployments if _same(d, one)), None)
        opened = any(_same(policy, one) for policy in self.live.policies)
        networks = [one.network] if one.spec.fetch or opened else []
        if live is not None and self._intact(one, live, networks):
            self.told += [one.deployment, one.service, *networks]
            return
        try:
            made = self._deploy(one, live)
            for manifest in (*networks, one.secret, one.service):
                self.client.apply(workload.owned(manifest, made), force=live is not None)
            self.told += [one.deployment, one.service, *networks]
        except Refused as error:
            self._refuse(one.spec, f"The cluster refused it: {error}", final=False)

    def _intact(self, one: Workload, live: Object, networks: Sequence[Object]) -> bool:
        """Nothing to write: what is there says all that is wanted."""
        service = next((s for s in self.live.services if _same(s, one)), None)
        policy = next((p for p in self.live.policies if _same(p, one)), None)
        pods = self.pods.get(one.spec.id, [])
        return (
            names.covers(live, one.deployment)
            and names.covers(service, one.service)
            and all(names.covers(policy, wanted) for wanted in networks)
            and not any(replicas.loses_settings(pod) for pod in pods)
        )

    def _deploy(self, one: Workload, live: Object | None) -> dict[str, Any]:
        """Over the version that was read, so that an older wish never lands on a newer one."""
        for _ in range(TRIES):
            if live is not None and site.generation_of(live) > self.wanted.generation:
                raise WishRefused("The site is being told a newer generation.")
            manifest = self._dated(one.deployment, live)
            try:
                return self.client.apply(manifest, force=live is not None)
            except Refused as error:
                if error.status != 409 or live is None:
                    raise
                live = self.client.get("Deployment", one.namespace, one.name)
        raise SiteUnavailable("A Deployment changes faster than it can be written.")

    def _dated(self, manifest: dict[str, Any], live: Object | None) -> dict[str, Any]:
        where = manifest["metadata"]
        notes = {**where["annotations"], names.GENERATION: str(self.wanted.generation)}
        version = {"resourceVersion": meta(live)["resourceVersion"]} if live is not None else {}
        return {**manifest, "metadata": {**where, "annotations": notes, **version}}

    def _prune(self) -> None:
        """Stop what is not wanted; what its log said stays readable."""
        wanted = {spec.id for spec in self.wanted.placements}
        stale = [d for d in self.live.deployments if labels(d).get(names.PLACEMENT) not in wanted]
        for deployment in stale:
            if site.generation_of(deployment) > self.wanted.generation:
                raise WishRefused("The site is being told a newer generation.")
            name = labels(deployment).get(names.PLACEMENT, "")
            if names.PUBLIC_ID.match(name):
                self._keep_log(name, self.pods.get(name, []))
            self.client.delete(deployment)
        if stale:
            self._forget_logs()

    def _keep_log(self, name: str, pods: list[Object]) -> None:
        """As far as the node still tells it: a lost node must not hold anything up."""
        with contextlib.suppress(SiteUnavailable, Refused):
            lines = _lines(self.client, pods[-1], 0, seconds=LOG_SECONDS) if pods else []
            if lines:
                self.client.apply(logs.kept(self.settings.site, name, lines), force=True)

    def _forget_logs(self) -> None:
        selector = f"{names.selector(self.settings.site)},{names.PLACEMENT}"
        kept = self.client.every("ConfigMap", names.HOME, selector)
        for old in sorted(kept, key=_created)[: -logs.KEPT]:
            self.client.delete(old)


def _same(thing: Object, one: Workload) -> bool:
    return (meta(thing).get("namespace"), meta(thing).get("name")) == (one.namespace, one.name)


def _key(thing: Object) -> tuple[str, str, str]:
    where = meta(thing)
    return str(thing.get("kind")), str(where.get("namespace", "")), str(where.get("name"))


def _created(thing: Object) -> str:
    return str(meta(thing).get("creationTimestamp", ""))
