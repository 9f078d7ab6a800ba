"""The program that fetches an own model in a pod, run as a pod runs it, from a real origin."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from portal.catalog import manifest
from portal.fleet.drivers.kubernetes.own_weights import FOLDER
from portal.fleet.drivers.kubernetes.workload import workload_of
from portal.fleet.serving.digests import digest_of as digest_on_disk
from tests.contracts.sites import ROOT, until
from tests.fakes.kubernetes.verdicts import SETTINGS, own
from tests.fakes.origin import WEIGHTS, Origin, digest_of, encoded

HOME = "/hanbit/claims"
RECIPE = ROOT / "deploy" / "kubernetes" / "fetcher.Containerfile"
PARTS = {"config.json": b"{}", "parts/model-1.safetensors": b"one" * 400_000, "z.bin": b"z"}
OTHER = "another digest"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the image has: the files that the Containerfile copies, and nothing else of ours."""
    folder = tmp_path_factory.mktemp("image")
    for line in re.findall(r"^COPY (.+)$", RECIPE.read_text(), re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            into = folder / target / Path(source).name if target.endswith("/") else folder / target
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, into)
    return folder


@dataclass
class Pod:
    """One pod's volume, which stays when its container begins anew."""

    image: Path
    volume: Path
    place: Origin
    words: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.volume / "weights"

    def lies(self, raw: bytes, files: dict[str, bytes]) -> None:
        """This model is at the origin, and is what the pod is told to fetch."""
        location, digest = self.place.put(raw, f"{HOME}/manifest.json")
        for path, content in files.items():
            self.place.put(content, f"{HOME}/{path}")
        found = manifest.read(raw)
        file = found.files[0].path if found.form == "gguf" else ""
        fetch = {"location": location, "manifest": digest, "file": file, "bytes": found.bytes}
        weights = manifest.weights_of(found, f"{HOME}/manifest.json", digest)
        self.words = {"fetch": fetch, "model_digest": weights}

    def start(self, *more: str) -> subprocess.Popen[str]:
        """As the pod's own container is started, on a bare interpreter."""
        made = workload_of(own(1, **self.words), SETTINGS).deployment
        (told,) = made["spec"]["template"]["spec"]["initContainers"]
        assert told["command"] == ["python3", "-m", "portal.mdc.fetcher"]
        words = [one.replace(FOLDER, str(self.folder)) for one in told["args"]]
        return subprocess.Popen(
            # Files of 50 MB at most, so that a fetcher without a bound fills no disk; and without
            # what is installed: the image has the standard library only.
            [
                "sh",
                "-c",
                'ulimit -f 100000; exec "$@"',
                "sh",
                sys.executable,
                "-S",
                "-m",
                "portal.mdc.fetcher",
                *words,
                *more,
            ],
            cwd=self.image,
            env={"PYTHONPATH": str(self.image), "PATH": os.environ["PATH"]} | self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *more: str) -> tuple[int, str]:
        """Exit code and the last line of its log."""
        process = self.start(*more)
        said, faults = process.communicate(timeout=30)
        assert faults == ""
        return process.returncode, said.strip().rpartition("\n")[2]

    def left(self) -> set[str]:
        """Files in the volume."""
        return {
            one.relative_to(self.volume).as_posix()
            for one in self.volume.rglob("*")
            if one.is_file()
        }


@pytest.fixture
def pod(image: Path, tmp_path: Path) -> Iterator[Pod]:
    with Origin() as place:
        found = Pod(image, tmp_path / "volume", place)
        found.volume.mkdir()
        found.lies(encoded(), {"weights.gguf": WEIGHTS})
        yield found


def folder_of(parts: dict[str, bytes], **changes: Any) -> bytes:
    files = [
        {"path": path, "bytes": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        for path, raw in parts.items()
    ]
    return encoded(form="safetensors", files=files, **changes)


def test_brings_the_one_file_of_a_gguf(pod: Pod) -> None:
    assert pod.run() == (0, f"weights.gguf: {len(WEIGHTS)} bytes.")

    assert (pod.folder / "weights.gguf").read_bytes() == WEIGHTS
    assert pod.left() == {"weights/weights.gguf", "weights/manifest.json"}
    assert (pod.folder / "weights.gguf").stat().st_mode & 0o777 == 0o644  # whoever the server is
    assert pod.place.asked == [f"{HOME}/manifest.json", f"{HOME}/weights.gguf"]


def test_brings_a_folder_whose_digest_is_the_one_that_sites_compute(pod: Pod) -> None:
    pod.lies(folder_of(PARTS), PARTS)

    assert pod.run()[0] == 0

    assert digest_on_disk(str(pod.folder)) == pod.words["model_digest"]
    assert pod.left() == {f"weights/{path}" for path in [*PARTS, "manifest.json"]}


@pytest.mark.parametrize(
    ("fault", "code", "because"),
    [
        ("redirect", 1, "answered 302: no redirects"),
        ("busy", 1, "weights.gguf answered 503"),
        ("cut", 1, "could not be fetched: RemoteDisconnected"),
        ("half", 1, "ended early"),
        ("endless", 3, "larger than they may be"),
        ("", 3, OTHER),
    ],
)
def test_ends_with_a_code_and_a_sentence_and_leaves_nothing_half(
    pod: Pod, fault: str, code: int, because: str
) -> None:
    pod.place.fault, pod.place.only = fault, f"{HOME}/weights.gguf"
    if not fault:
        pod.place.put(WEIGHTS[::-1], f"{HOME}/weights.gguf")

    ended, said = pod.run()

    assert (ended, because in said) == (code, True), said
    assert pod.left() == set()
    pod.place.fault = ""
    pod.place.put(WEIGHTS, f"{HOME}/weights.gguf")
    assert pod.run()[0] == 0  # the container begins again


@pytest.mark.parametrize("fault", ["redirect", "cut", "endless", ""])
def test_believes_no_other_manifest(pod: Pod, fault: str) -> None:
    pod.place.fault = fault
    if not fault:
        pod.place.put(encoded(context_tokens=4096), f"{HOME}/manifest.json")

    ended, said = pod.run()

    assert ended == (1 if fault in {"redirect", "cut"} else 3), said
    assert pod.left() == set()
    assert pod.place.asked == [f"{HOME}/manifest.json"]


def test_gives_up_when_its_time_is_over(pod: Pod) -> None:
    pod.place.fault, pod.place.only = "slow", f"{HOME}/weights.gguf"
    pod.place.put(encoded(files=[_file("weights.gguf", 10**6)]), f"{HOME}/manifest.json")
    pod.words["fetch"]["manifest"] = digest_of(pod.place.files[f"{HOME}/manifest.json"])

    assert pod.run("--seconds", "1") == (1, "The weights did not come in time.")
    assert pod.left() == set()


def _file(path: str, size: int) -> dict[str, Any]:
    return {"path": path, "bytes": size, "sha256": "0" * 64}


def test_says_that_the_weights_are_others_than_the_wish_names(pod: Pod) -> None:
    pod.words["model_digest"] = digest_of(b"what was wished")

    ended, said = pod.run()

    assert (ended, OTHER in said) == (3, True)
    assert pod.left() == set()


@pytest.mark.parametrize("path", ["../outside", "/tmp/outside", ".hidden", "manifest.json", ""])
def test_writes_nothing_outside_of_its_folder(pod: Pod, path: str) -> None:
    raw = json.dumps({"form": "gguf", "files": [_file(path, 1)]}).encode()
    location, digest = pod.place.put(raw, f"{HOME}/manifest.json")
    pod.words["fetch"] |= {"location": location, "manifest": digest}

    ended, said = pod.run()

    assert (ended, "outside of its folder" in said) == (3, True)
    assert pod.left() == set()


def test_keeps_what_came_whole_when_it_begins_again(pod: Pod) -> None:
    pod.lies(folder_of(PARTS), PARTS)
    pod.place.fault, pod.place.only = "half", f"{HOME}/z.bin"
    assert pod.run()[0] == 1
    assert not pod.folder.exists()
    pod.place.fault = ""
    pod.place.asked.clear()
    (pod.volume / "weights.part" / "config.json").write_bytes(b"[]")  # a disk that forgot

    assert pod.run()[0] == 0

    assert pod.place.asked == [f"{HOME}/{one}" for one in ("manifest.json", "config.json", "z.bin")]
    assert digest_on_disk(str(pod.folder)) == pod.words["model_digest"]


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_container_that_ends_in_the_middle_leaves_no_folder(pod: Pod, how: str) -> None:
    pod.place.fault, pod.place.only = "slow", f"{HOME}/weights.gguf"
    process = pod.start()
    until(lambda: f"{HOME}/weights.gguf" in pod.place.asked)
    process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGTERM)
    began = time.monotonic()
    process.communicate(timeout=30)
    assert (process.returncode, time.monotonic() - began < 10) == (
        -9 if how == "killed" else 143,
        True,
    )
    assert not pod.folder.exists()

    pod.place.fault = ""
    assert pod.run()[0] == 0
    assert pod.left() == {"weights/weights.gguf", "weights/manifest.json"}


def test_never_mixes_two_models(pod: Pod) -> None:
    """A volume that has another model already, whole or half: what is not of this one goes."""
    pod.lies(folder_of(PARTS), PARTS)
    assert pod.run()[0] == 0
    (pod.folder / "left.bin").symlink_to("/etc/passwd")
    others = {"config.json": b'{"other": 1}', "parts": b"a file where a folder was"}
    pod.lies(folder_of(others), others)

    assert pod.run()[0] == 0

    assert digest_on_disk(str(pod.folder)) == pod.words["model_digest"]
    assert {one for one in pod.left() if "manifest" not in one} == {
        f"weights/{path}" for path in others
    }
    assert not (pod.folder / "left.bin").is_symlink()


def test_enters_a_private_network_only_where_that_was_said(pod: Pod) -> None:
    port = pod.place.base.rpartition(":")[2]
    pod.words["fetch"]["location"] = f"http://localhost:{port}{HOME}/manifest.json"

    ended, said = pod.run()
    assert (ended, said) == (1, "The name of the place leads into a private network.")
    assert pod.place.asked == []

    pod.words["fetch"]["private"] = True
    assert pod.run()[0] == 0
    assert pod.place.hosts == [f"localhost:{port}"] * 2


def certified(folder: Path, name: str) -> Path:
    """A certificate for this name that vouches for itself, with its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    whose = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder(whose, whose, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, *plain)
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize(
    ("name", "trusted", "code"),
    [("localhost", True, 0), ("localhost", False, 1), ("elsewhere.example", True, 1)],
)
def test_knows_the_place_by_its_certificate(
    image: Path, tmp_path: Path, name: str, trusted: bool, code: int
) -> None:
    """By its name, though the connection goes to the address that was looked at."""
    pem, tls = certified(tmp_path, name), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    with Origin(tls=tls) as place:
        pod = Pod(image, tmp_path / "volume", place)
        pod.volume.mkdir()
        pod.lies(encoded(), {"weights.gguf": WEIGHTS})
        pod.words["fetch"]["private"] = True
        pod.env = {"SSL_CERT_FILE": str(pem)} if trusted else {}

        ended, said = pod.run()

    assert (ended, "certificate" in said) == (code, bool(code)), said
    assert len(pod.left()) == (2 if code == 0 else 0)
