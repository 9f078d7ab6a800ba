"""What controllers, scheduler and kubelets do, one small step at a time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

from tests.fakes.kubernetes.store import Json, Status, Store

PLACEMENT = "dure.kr/placement"
HOST = "10.20.1.7"


class Life:
    """``crashing``: placements whose engine ends at once. ``absent``: images that do not exist.
    ``slow``: engines load and load. ``unfetched``: placements whose weights cannot be fetched, with
    what is said of it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.crashing: set[str] = set()
        self.absent: set[str] = set()
        self.slow = False
        self.unfetched: dict[str, str] = {}
        self.mute: set[str] = set()  # placements whose engine answers no longer
        self.stuck = False  # pods that were told to end do not
        self.until: dict[str, int] = {}  # pod's uid → when its back-off is over
        self.logs: dict[str, list[list[str]]] = {}  # uid/container → one log for each life

    def step(self) -> None:
        self.store.clock += 1
        self._collect()
        for deployment in self.store.of("Deployment"):
            self._deployment(deployment)
        for pod in self.store.of("Pod"):
            self._pod(pod)

    def _collect(self) -> None:
        """What a deleted object owned goes."""
        alive = {one["metadata"]["uid"] for one in self.store.objects.values()}
        for key, one in list(self.store.objects.items()):
            owners = one["metadata"].get("ownerReferences")
            if not owners or any(owner["uid"] in alive for owner in owners):
                continue
            if one["kind"] != "Pod":
                self.store.delete(key)
            elif "deletionTimestamp" not in one["metadata"]:
                self._end(one)

    def _end(self, pod: Json) -> None:
        pod["metadata"]["deletionTimestamp"] = self.store.now()
        self.store.note("MODIFIED", pod)

    def _deployment(self, thing: Json) -> None:
        template = thing["spec"]["template"]
        mark = hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()[:8]
        uid = thing["metadata"]["uid"]
        pods = [
            pod
            for pod in self.store.of("Pod", thing["metadata"]["namespace"])
            if any(owner["uid"] == uid for owner in pod["metadata"]["ownerReferences"])
        ]
        wanted = thing["spec"].get("replicas", 1)
        for pod in pods:
            old = pod["metadata"]["labels"]["pod-template-hash"] != mark or not wanted
            if old and "deletionTimestamp" not in pod["metadata"]:
                self._end(pod)
        if not pods and wanted:  # Recreate: only when the old ones are gone
            self._make(thing, template, mark)

    def _make(self, thing: Json, template: Json, mark: str) -> None:
        where = thing["metadata"]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{where['name']}-{mark}-{self.store.clock}",
                "namespace": where["namespace"],
                "labels": template["metadata"]["labels"] | {"pod-template-hash": mark},
                "annotations": dict(template["metadata"].get("annotations", {})),
                "ownerReferences": [{"uid": where["uid"], "kind": "Deployment"}],
            },
            "spec": json.loads(json.dumps(template["spec"])),
            "status": {"phase": "Pending", "conditions": []},
        }
        failure = {"type": "ReplicaFailure", "status": "False"}
        try:
            check_quota(self.store, pod)
            self.store.create(pod)
        except Status as error:
            failure = {"type": "ReplicaFailure", "status": "True", "message": str(error)}
        failure["lastTransitionTime"] = self.store.now()
        thing["status"] = {"conditions": [failure]}
        self.store.note("MODIFIED", thing)

    def _pod(self, pod: Json) -> None:
        before = json.dumps(pod, sort_keys=True)
        if "deletionTimestamp" in pod["metadata"]:
            if not self.stuck:
                self.store.delete(("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"]))
            return
        if "nodeName" not in pod["spec"]:
            self._schedule(pod)
        else:
            self._run(pod)
        if json.dumps(pod, sort_keys=True) != before:
            self.store.note("MODIFIED", pod)

    def _schedule(self, pod: Json) -> None:
        reasons: list[str] = []
        for node in self.store.of("Node"):
            lacks = self._lacks(pod, node)
            if lacks is None:
                pod["spec"]["nodeName"] = node["metadata"]["name"]
                self._condition(pod, "PodScheduled", "True")
                return
            reasons.append(lacks)
        message = f"0/{len(reasons)} nodes are available: {', '.join(sorted(set(reasons)))}."
        self._condition(pod, "PodScheduled", "False", reason="Unschedulable", message=message)

    def _lacks(self, pod: Json, node: Json) -> str | None:
        """Why the pod does not fit; ``None`` if it does."""
        terms = (
            pod["spec"]
            .get("affinity", {})
            .get("nodeAffinity", {})
            .get("requiredDuringSchedulingIgnoredDuringExecution", {})
            .get("nodeSelectorTerms")
        )
        if terms and not any(_matches(term, node["metadata"]["labels"]) for term in terms):
            return "1 node(s) didn't match Pod's node affinity/selector"
        here = [
            one
            for one in self.store.of("Pod")
            if one["spec"].get("nodeName") == node["metadata"]["name"]
        ]
        for name, amount in requests(pod).items():
            if "/" not in name:
                continue
            used = sum(requests(one).get(name, 0) for one in here)
            if used + amount > int(node["status"]["allocatable"].get(name, "0")):
                return f"1 Insufficient {name}"
        return None

    def _run(self, pod: Json) -> None:
        name = pod["metadata"]["labels"][PLACEMENT]
        container = pod["spec"]["containers"][0]
        status = pod["status"]
        found = (status.get("containerStatuses") or [{"name": "engine", "restartCount": 0}])[0]
        status["hostIP"] = HOST
        if not self._fetched(pod, name):
            return
        try:
            environment = self._environment(pod, container)
        except Status as error:
            found |= {"state": {"waiting": _why("CreateContainerConfigError", str(error))}}
        else:
            if container["image"] in self.absent:
                found |= {"state": {"waiting": _why("ImagePullBackOff", "not found")}}
            elif self.until.get(pod["metadata"]["uid"], 0) > self.store.clock:
                pass
            elif "running" not in found.get("state", {}):
                self._begin(pod, found, container, environment)
            elif name in self.crashing:
                self.until[pod["metadata"]["uid"]] = self.store.clock + 10
                self._crash(found)
            elif name in self.mute:
                found.pop("ready", None)
            elif not self.slow and "ready" not in found:
                found["ready"] = True
                self._say(pod, "the engine answers")
                self._condition(pod, "Ready", "True")
        if not found.get("ready"):
            self._condition(pod, "Ready", "False")
        status["containerStatuses"] = [found]

    def _begin(self, pod: Json, found: Json, container: Json, environment: dict[str, str]) -> None:
        pod["status"]["phase"] = "Running"
        found["state"] = {"running": {"startedAt": self.store.now()}}
        self._log_anew(pod, found["name"])
        words = [_expanded(word, environment) for word in container["command"]]
        self._say(pod, "arguments: " + " ".join(words))

    def _crash(self, found: Json) -> None:
        ended = {"startedAt": found["state"]["running"]["startedAt"], "exitCode": 1}
        found["lastState"] = {"terminated": ended}
        found["restartCount"] += 1
        found.pop("ready", None)
        found["state"] = {"waiting": _why("CrashLoopBackOff", "back-off 10s restarting")}

    def _fetched(self, pod: Json, placement: str) -> bool:
        """Whether what runs before the engine has ended well."""
        for container in pod["spec"].get("initContainers", ()):
            fresh = [{"name": container["name"], "restartCount": 0, "state": {}}]
            (found,) = pod["status"].setdefault("initContainerStatuses", fresh)
            if "terminated" in found["state"]:
                continue
            self._fetch(pod, container, found, self.unfetched.get(placement))
            waits = {"waiting": _why("PodInitializing", "")}
            engine = {"name": "engine", "restartCount": 0, "state": waits}
            pod["status"]["containerStatuses"] = [engine]
            self._condition(pod, "Ready", "False")
            return False
        return True

    def _fetch(self, pod: Json, container: Json, found: Json, fault: str | None) -> None:
        uid = pod["metadata"]["uid"]
        if container["image"] in self.absent:
            found["state"] = {"waiting": _why("ImagePullBackOff", "not found")}
        elif self.until.get(uid, 0) > self.store.clock:
            return
        elif "running" not in found["state"]:
            found["state"] = {"running": {"startedAt": self.store.now()}}
            self._log_anew(pod, found["name"])
            self._say(pod, "asks for the manifest", found["name"])
        elif fault is not None:
            self._say(pod, fault, found["name"])
            self.until[uid] = self.store.clock + 10
            self._crash(found)
            found["lastState"]["terminated"]["message"] = f"asks for the manifest\n{fault}\n"
        else:
            began = found["state"]["running"]["startedAt"]
            found["state"] = {"terminated": {"exitCode": 0, "startedAt": began}}

    def _log_anew(self, pod: Json, container: str) -> None:
        self.logs.setdefault(f"{pod['metadata']['uid']}/{container}", []).append([])

    def _say(self, pod: Json, text: str, container: str = "engine") -> None:
        life = self.logs[f"{pod['metadata']['uid']}/{container}"][-1]
        life.append(f"{self.store.now()[:-1]}.{len(life):09d}Z {text}")

    def _environment(self, pod: Json, container: Json) -> dict[str, str]:
        """404 if a Secret is not there."""
        found: dict[str, str] = {}
        for one in container.get("env", ()):
            reference = one.get("valueFrom", {}).get("secretKeyRef")
            if reference is None:
                found[one["name"]] = one["value"]
                continue
            secret = self.store.get("Secret", pod["metadata"]["namespace"], reference["name"])
            found[one["name"]] = base64.b64decode(secret["data"][reference["key"]]).decode()
        return found

    def _condition(self, pod: Json, kind: str, status: str, **more: str) -> None:
        found = pod["status"].setdefault("conditions", [])
        old = next((one for one in found if one["type"] == kind), None)
        if old is not None and old["status"] == status:
            return
        kept = [one for one in found if one["type"] != kind]
        new = {"type": kind, "status": status, "lastTransitionTime": self.store.now()} | more
        pod["status"]["conditions"] = [*kept, new]


def _why(reason: str, message: str) -> Json:
    return {"reason": reason, "message": message}


def _expanded(word: str, environment: dict[str, str]) -> str:
    """``$(NAME)`` as a kubelet replaces it; ``$$`` is a dollar."""

    def put(found: re.Match[str]) -> str:
        return "$" if found[0] == "$$" else environment.get(found[1], found[0])

    return re.sub(r"\$\$|\$\(([A-Za-z0-9_]+)\)", put, word)


def _matches(term: Json, labels: dict[str, str]) -> bool:
    return all(labels.get(one["key"]) in one["values"] for one in term["matchExpressions"])


def requests(pod: Json) -> dict[str, int]:
    """Whole numbers only: extended resources."""
    found: dict[str, int] = {}
    for container in pod["spec"]["containers"]:
        for name, amount in container.get("resources", {}).get("requests", {}).items():
            if amount.isdigit():
                found[name] = found.get(name, 0) + int(amount)
    return found


def check_quota(store: Store, thing: Json) -> None:
    """403 if this object would be one too many in its namespace."""
    space = thing["metadata"].get("namespace", "")
    counted: dict[str, Any] = {"Pod": "pods", "Service": "services"}
    if thing["kind"] not in counted:
        return
    for quota in store.of("ResourceQuota", space):
        hard = {name: int(text) for name, text in quota["spec"]["hard"].items()}
        there = store.of(thing["kind"], space)
        asked = {counted[thing["kind"]]: 1}
        used = {counted[thing["kind"]]: len(there)}
        if thing["kind"] == "Pod":
            for one, into in [(thing, asked), *((pod, used) for pod in there)]:
                for name, amount in requests(one).items():
                    into[f"requests.{name}"] = into.get(f"requests.{name}", 0) + amount
        for name, amount in asked.items():
            if name in hard and used.get(name, 0) + amount > hard[name]:
                raise Status(
                    403, "Forbidden", f"exceeded quota: dure, limited: {name}={hard[name]}"
                )
