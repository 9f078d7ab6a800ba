"""Cases 50–55 of the catalogue: keys that are none. One answer for every reason."""

from __future__ import annotations

from tests.gateway.bad_input.row import CHAT, GOOD, KEY, Row, chat, encoded, get, whole

BODY = encoded(GOOD)
NO_KEY = "invalid_api_key"


def wrong(number: str, what: str, value: bytes | None) -> Row:
    """This value of ``Authorization``."""
    line = None if value is None else b"authorization: " + value
    return Row(
        number=number,
        what=what,
        sent=whole(CHAT, BODY, authority=line),
        status=401,
        code=NO_KEY,
    )


def mixed_in(number: str, what: str, part: bytes) -> Row:
    """A key with something in it that stores and shells read."""
    return wrong(number, what, b"Bearer dure_live_gatewayo_" + part + b"0" * 30)


AUTHORITY = [
    wrong("50", "no header", None),
    wrong("50b", "empty", b""),
    wrong("50c", "Bearer alone", b"Bearer"),
    wrong("50d", "Basic", b"Basic " + KEY),
    wrong("50e", "two spaces", b"Bearer  " + KEY),
    wrong("50f", "bearer", b"bearer " + KEY),
    wrong("50g", "a tab", b"Bearer\t" + KEY),
    wrong("50h", "the key alone", KEY),
    wrong("50i", "two keys in one", b"Bearer " + KEY + b", Bearer " + KEY),
    mixed_in("51", "quote", b"'; DROP"),
    mixed_in("51b", "colon", b":grant:"),
    mixed_in("51c", "star", b"*"),
    mixed_in("51d", "brace", b"{c1}"),
    mixed_in("51e", "letters of other scripts", "ｄｕｒｅ".encode()),
    wrong("51f", "8 KiB of key", b"Bearer " + b"d" * 8192),
    Row(
        number="51g",
        what="line feed in the key",
        sent=whole(CHAT, BODY, authority=b"authorization: Bearer dure_live_\n" + KEY),
        status=400,
        code="malformed_request",
        closed=True,
    ),
    Row(
        number="53",
        what="key in the query",
        sent=get(b"/v1/models?api_key=" + KEY, authority=None),
        status=401,
        code=NO_KEY,
    ),
    Row(
        number="53b",
        what="key in the query too",
        sent=whole(CHAT.encode() + b"?key=" + KEY, BODY),
        status=401,
        code=NO_KEY,
    ),
    Row(
        number="53c",
        what="key in the query, percent-encoded",
        sent=lambda wire, key: wire.send(get(b"/v1/models?key=%64" + key[1:], authority=None)),
        status=401,
        code=NO_KEY,
    ),
    Row(
        number="53d",
        what="key in the path",
        sent=get(b"/v1/models/" + KEY),
        status=404,
        code="*",
    ),
    Row(
        number="54",
        what="another organization named",
        sent=chat(b"openai-organization: org_other"),
        status=403,
        code="mismatched_organization",
        param="OpenAI-Organization",
    ),
    Row(
        number="54b",
        what="another project named",
        sent=chat(b"openai-project: prj_other"),
        status=403,
        code="mismatched_organization",
        param="OpenAI-Project",
    ),
    Row(
        number="54c",
        what="our organization, then another",
        sent=chat(b"openai-organization: org_gate", b"openai-organization: org_other"),
        status=403,
        code="mismatched_organization",
        param="OpenAI-Organization",
    ),
    wrong("55", "trailing space", b"Bearer " + KEY + b" "),
    wrong("55a", "behind a space, a letter", b"Bearer " + KEY + b" x"),
    wrong("55b", "trailing no-break space", b"Bearer " + KEY + b"\xa0"),
]
