"""An S3-compatible storage over loopback HTTP, as far as files of jobs use it, and strict.

Signature version 4 is computed again from what arrived; a body must have the digest that was
signed; parts but the last have 5 MiB at least; an object is there when its upload is complete.
``faults``: statuses that the next requests are answered with (``0``: the connection is cut).
``PAGE`` objects stand on one page of a list.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

KEY_ID, SECRET, REGION, BUCKET = "key-of-the-test", "secret-of-the-test", "kr-daegu-1", "dure-jobs"
LEAST_PART = 5 * 1024 * 1024
PAGE = 2
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request, ?"
    r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})"
)


class Refused(Exception):
    """Answered with this status and code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def key(self) -> str:
        return unquote(self.path).removeprefix(f"/{BUCKET}").removeprefix("/")


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def check_signature(asked: Asked) -> None:
    """As AWS describes it: canonical request → string to sign → signature."""
    found = _AUTHORIZATION.fullmatch(asked.headers.get("authorization", ""))
    if not found:
        raise Refused(403, "AccessDenied")
    key_id, day, region, signed, signature = found.groups()
    if key_id != KEY_ID or region != REGION:
        raise Refused(403, "InvalidAccessKeyId")
    names = signed.split(";")
    if not {"host", "x-amz-content-sha256", "x-amz-date"} <= set(names):
        raise Refused(403, "SignatureDoesNotMatch")
    digest = asked.headers["x-amz-content-sha256"]
    if digest not in ("UNSIGNED-PAYLOAD", hashlib.sha256(asked.body).hexdigest()):
        raise Refused(400, "XAmzContentSHA256Mismatch")
    pairs = sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in asked.query.items())
    canonical = "\n".join(
        [
            asked.method,
            asked.path,
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{asked.headers[name].strip()}" for name in names),
            "",
            signed,
            digest,
        ]
    )
    text = "\n".join(
        [
            "AWS4-HMAC-SHA256",
            asked.headers["x-amz-date"],
            f"{day}/{region}/s3/aws4_request",
            hashlib.sha256(canonical.encode()).hexdigest(),
        ]
    )
    key = f"AWS4{SECRET}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = _hmac(key, part)
    if not hmac.compare_digest(hmac.new(key, text.encode(), hashlib.sha256).hexdigest(), signature):
        raise Refused(403, "SignatureDoesNotMatch")


@dataclass
class Store:
    """What the bucket has."""

    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    uploads: dict[str, dict[int, bytes]] = field(default_factory=dict)
    faults: list[int] = field(default_factory=list)
    calls: Counter[str] = field(default_factory=Counter)
    largest: int = 0  # body of a request
    lock: threading.Lock = field(default_factory=threading.Lock)
    number: int = 0

    def answer(self, asked: Asked) -> tuple[int, bytes, dict[str, str]]:
        with self.lock:
            self.largest = max(self.largest, len(asked.body))
            fault = self.faults.pop(0) if self.faults else None
            if fault is not None:
                self.calls["fault"] += 1
                raise Refused(fault, "SlowDown")
            check_signature(asked)
            if not asked.path.startswith(f"/{BUCKET}"):
                raise Refused(404, "NoSuchBucket")
            return self._of(asked)

    def _of(self, asked: Asked) -> tuple[int, bytes, dict[str, str]]:
        if not asked.key:
            return self._list(asked.query)
        kind = asked.method + "".join(f" {n}" for n in ("uploads", "uploadId") if n in asked.query)
        self.calls[kind] += 1
        match kind:
            case "PUT":
                return self._put(asked.key, asked.body)
            case "POST uploads":
                return self._begin(asked.key)
            case "PUT uploadId":
                parts = self._upload(asked)
                parts[int(asked.query["partNumber"])] = asked.body
                return 200, b"", {"ETag": _tag(asked.body)}
            case "POST uploadId":
                return self._complete(asked)
            case "DELETE uploadId":
                del self.uploads[asked.query["uploadId"]]
                return 204, b"", {}
            case "GET":
                return self._get(asked)
            case "DELETE":
                self.objects.pop(asked.key, None)
                return 204, b"", {}
        raise Refused(501, "NotImplemented")

    def _put(self, key: str, body: bytes) -> tuple[int, bytes, dict[str, str]]:
        self.objects[key] = (body, datetime.now(UTC))
        return 200, b"", {"ETag": _tag(body)}

    def _begin(self, key: str) -> tuple[int, bytes, dict[str, str]]:
        self.number += 1
        name = f"upload-{self.number}"
        self.uploads[name] = {}
        text = (
            "<InitiateMultipartUploadResult>"
            f"<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key><UploadId>{name}</UploadId>"
            "</InitiateMultipartUploadResult>"
        )
        return 200, text.encode(), {}

    def _upload(self, asked: Asked) -> dict[int, bytes]:
        try:
            return self.uploads[asked.query["uploadId"]]
        except KeyError:
            raise Refused(404, "NoSuchUpload") from None

    def _complete(self, asked: Asked) -> tuple[int, bytes, dict[str, str]]:
        parts = self._upload(asked)
        told = [int(one) for one in re.findall(rb"<PartNumber>(\d+)</PartNumber>", asked.body)]
        if told != sorted(parts):
            raise Refused(400, "InvalidPart")
        if any(len(parts[number]) < LEAST_PART for number in told[:-1]):
            raise Refused(400, "EntityTooSmall")
        body = b"".join(parts[number] for number in told)
        self._put(asked.key, body)
        del self.uploads[asked.query["uploadId"]]
        tag = escape(_tag(body))
        text = (
            "<CompleteMultipartUploadResult>"
            f"<Bucket>{BUCKET}</Bucket><Key>{escape(asked.key)}</Key><ETag>{tag}</ETag>"
            "</CompleteMultipartUploadResult>"
        )
        return 200, text.encode(), {}

    def _get(self, asked: Asked) -> tuple[int, bytes, dict[str, str]]:
        if asked.key not in self.objects:
            raise Refused(404, "NoSuchKey")
        body, at = self.objects[asked.key]
        known = {"ETag": _tag(body), "Last-Modified": at.strftime("%a, %d %b %Y %H:%M:%S GMT")}
        found = re.fullmatch(r"bytes=(\d+)-(\d+)", asked.headers.get("range", ""))
        if not found:
            return 200, body, known
        first, last = int(found[1]), min(int(found[2]), len(body) - 1)
        if first >= len(body):
            raise Refused(416, "InvalidRange")
        whole = {"Content-Range": f"bytes {first}-{last}/{len(body)}"}
        return 206, body[first : last + 1], known | whole

    def _list(self, query: dict[str, str]) -> tuple[int, bytes, dict[str, str]]:
        if query.get("list-type") != "2":
            raise Refused(501, "NotImplemented")
        self.calls["LIST"] += 1
        after, prefix = query.get("continuation-token", ""), query.get("prefix", "")
        names = [one for one in sorted(self.objects) if one.startswith(prefix) and one > after]
        page, more = names[:PAGE], len(names) > PAGE
        rows = "".join(
            f"<Contents><Key>{escape(one)}</Key><Size>{len(self.objects[one][0])}</Size>"
            f"<LastModified>{self.objects[one][1]:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(_tag(self.objects[one][0]))}</ETag></Contents>"
            for one in page
        )
        token = f"<NextContinuationToken>{escape(page[-1])}</NextContinuationToken>" if more else ""
        text = (
            f"<ListBucketResult><Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{rows}</ListBucketResult>"
        )
        return 200, text.encode(), {}


def _tag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'


class S3:
    """The server, in threads."""

    def __init__(self) -> None:
        self.store = Store()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _doors(self.store))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def _doors(store: Store) -> type[BaseHTTPRequestHandler]:
    class Doors(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(
                method=self.command,
                path=parts.path,
                query=dict(parse_qsl(parts.query, keep_blank_values=True)),
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("content-length", "0"))),
            )
            try:
                status, body, headers = store.answer(asked)
            except Refused as refused:
                if refused.status == 0:
                    self.close_connection = True
                    return
                text = f"<Error><Code>{refused.code}</Code><Message>no</Message></Error>"
                status, body, headers = refused.status, text.encode(), {}
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = _serve

        def log_message(self, *_: Any) -> None:
            """Tests are silent."""

    return Doors
