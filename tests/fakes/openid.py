"""A small strict OpenID provider: discovery, keys, authorize, token with RS256 and PKCE.

``says`` are the claims of whoever signs in next; ``wrong`` names one thing that it does badly:
``signature``, ``nonce``, ``issuer``, ``audience``, ``expired``, ``none`` (unsigned),
``redirect`` (discovery moves elsewhere), ``private`` (its token endpoint is a metadata service).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, SECRET = "dure-client", "provider-secret"


class OpenId:
    """Runs in a thread on a port of its own."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.says: dict[str, Any] = {}
        self.wrong = ""
        self.codes: dict[str, dict[str, str]] = {}
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self, b"")

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", "0"))
                provider.answer(self, self.rfile.read(length))

            def log_message(self, *args: object) -> None:
                """Silence."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join(5)

    def answer(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        place = urlsplit(request.path)
        if place.path == "/.well-known/openid-configuration":
            if self.wrong == "redirect":
                request.send_response(302)
                request.send_header("Location", f"{self.issuer}/elsewhere")
                request.end_headers()
                return
            self._send(request, 200, self._discovery())
        elif place.path == "/keys":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            self._send(request, 200, {"keys": [public | {"kid": "k1", "alg": "RS256"}]})
        elif place.path == "/token":
            form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            self._send(request, *self._token(form, request.headers.get("Authorization", "")))
        else:
            self._send(request, 404, {})

    def _send(self, request: BaseHTTPRequestHandler, status: int, found: dict[str, Any]) -> None:
        raw = json.dumps(found).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(raw)))
        request.end_headers()
        request.wfile.write(raw)

    def _discovery(self) -> dict[str, Any]:
        token = "http://169.254.169.254/token" if self.wrong == "private" else "/token"
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": token if "://" in token else self.issuer + token,
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def authorize(self, place: str) -> str:
        """What the browser would do there: the query that it comes back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(place).query).items()}
        assert asked["response_type"] == "code"
        assert asked["client_id"] == CLIENT_ID
        assert asked["code_challenge_method"] == "S256"
        assert asked["redirect_uri"].endswith("/sso/callback/")
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return urlencode({"code": code, "state": asked["state"]})

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        pair = base64.b64encode(f"{CLIENT_ID}:{SECRET}".encode()).decode()
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["redirect_uri"] != form.get("redirect_uri")
            or authorization != f"Basic {pair}"
        ):
            return 400, {"error": "invalid_grant"}
        return 200, {"id_token": self._id_token(asked), "access_token": "x", "token_type": "Bearer"}

    def _id_token(self, asked: dict[str, str]) -> str:
        now = int(time.time())
        claims = {
            "iss": "http://127.0.0.1:9" if self.wrong == "issuer" else self.issuer,
            "aud": "another" if self.wrong == "audience" else CLIENT_ID,
            "iat": now,
            "exp": now - 600 if self.wrong == "expired" else now + 300,
            "nonce": "another" if self.wrong == "nonce" else asked["nonce"],
            **self.says,
        }
        if self.wrong == "none":
            return jwt.encode(claims, None, algorithm="none", headers={"kid": "k1"})
        key = self.other if self.wrong == "signature" else self.key
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "k1"})
