"""The front door of inference: other keys' answers, others' limits, bytes that hide something."""

from __future__ import annotations

from tests.breakins.table.attempt import NO_WALL, Cut, attempt

G, FRONT = "portal/gateway/", "portal/gateway/connection.py"
HEADS = "portal/gateway/framing.py"
ATTACKS = "gateway/test_attacks.py::"
READ, AGAIN, ANSWERS = (
    "gateway/test_connection.py::",
    "gateway/test_idempotency.py::",
    "gateway/test_answers.py::",
)

ROWS = [
    attempt(
        "learn of another key's request, or block it, by its Idempotency-Key",
        "portal.gateway.idempotency:read",
        AGAIN + "test_keys_of_other_api_keys_are_other_keys",
        Cut(
            G + "idempotency.py",
            '    secret = sha256.encode() + b" " + found\n',
            "    secret = found\n",
        ),
    ),
    attempt(
        "read answers that are kept for a replay, on the server that keeps them",
        "portal.gateway.idempotency:keep",
        AGAIN + "test_what_is_kept_says_nothing_to_who_reads_the_server",
        Cut(
            G + "idempotency.py",
            "    sealed = seal_bytes(content, gateway.config.seal_keys, bound)\n",
            "    sealed = content\n",
        ),
    ),
    attempt(
        "open a kept answer with the operator's keys, without the client's",
        "portal.lib.sealing:seal_bytes",
        AGAIN + "test_what_is_sealed_opens_only_with_the_right_key_and_bond",
        Cut("portal/lib/sealing.py", 'b"dure sealed bytes " + bound', 'b"dure sealed bytes "'),
    ),
    attempt(
        "call another project's endpoint by a name of one's own",
        "portal.deployments.actions.aliases:_require_target",
        "deployments/test_aliases.py::test_stands_for_nothing_else",
        Cut(
            "portal/deployments/actions/aliases.py",
            "    own = Endpoint.objects.filter(project=project, stopped_at=None)",
            "    own = Endpoint.objects.filter(stopped_at=None)",
        ),
    ),
    attempt(
        "see what another's key may and has used (page)",
        "portal.web.limits:index",
        "web/test_limits.py::test_strangers_find_no_key",
        *NO_WALL,
    ),
    attempt(
        "see what another's key may and has used (API)",
        "portal.api.limits:KeyLimitsView",
        "api/test_permissions.py::test_answers_each_caller_as_the_table_says[GET-api_key_limits]",
        *NO_WALL,
    ),
    attempt(
        "ask for another's receipt",
        "portal.usage.receipts:entry_of",
        "usage/test_receipts.py::test_knows_no_request_of_others_and_none_that_is_not_booked",
        NO_WALL[0],
        Cut(
            "tenants/rls.py",
            '    with _scope(str(organization_id), "" if user_id is None else str(user_id)):\n',
            '    with everyone(because="the wall is taken away"):\n',
        ),
    ),
    attempt(
        "show a receipt in which one byte is another",
        "portal.lib.jws:Verifier.claims",
        "lib/test_jws.py::test_refuses_every_text_with_one_changed_byte",
        Cut(
            "portal/lib/jws.py",
            "            key.verify(signature, head.encode())\n",
            "            pass\n",
        ),
    ),
    attempt(
        "show a receipt that one has signed oneself",
        "portal.lib.jws:Verifier.claims",
        "web/test_receipts.py::test_refuses_what_was_changed_and_what_another_signed",
        Cut(
            "portal/lib/jws.py",
            "            key.verify(signature, head.encode())\n",
            "            pass\n",
        ),
    ),
    attempt(
        "put authority into a trailer",
        "portal.gateway.connection:Connection.on_header",
        READ + "test_reads_no_authority_out_of_trailers_and_underscores",
        Cut(
            FRONT,
            "        if not self._in_body:  # a trailer is never authority for anything\n",
            "        if True:\n",
        ),
    ),
    attempt(
        "write X_Forwarded_For where a proxy removes X-Forwarded-For",
        "portal.gateway.framing:name_lines",
        READ + "test_reads_no_authority_out_of_trailers_and_underscores",
        Cut(HEADS, '        if b"_" in name:\n', "        if False:\n"),
    ),
    attempt(
        "name two hosts, one for the proxy and one for the gateway",
        "portal.gateway.framing:doubt",
        READ + "test_refuses_what_another_parser_could_read_differently",
        Cut(HEADS, '    if b"host" in repeated or (', "    if ("),
    ),
    attempt(
        "hide a second request in an upgrade",
        "portal.gateway.framing:doubt",
        READ + "test_refuses_what_another_parser_could_read_differently",
        Cut(HEADS, "    if upgrade and (", "    if False and ("),
    ),
    attempt(
        "fill the gateway's memory with headers",
        "portal.gateway.framing:name_lines",
        READ + "test_bounds_headers",
        Cut(
            HEADS,
            "    if len(lines) > HEADER_COUNT or "
            "sum([len(n) + len(v) for n, v in lines]) > HEADER_BYTES:\n",
            "    if False:\n",
        ),
    ),
    attempt(
        "fill it with one header that never ends",
        "portal.gateway.connection:Connection._feed",
        READ + "test_bounds_a_header_that_never_ends",
        Cut(FRONT, "        elif self._raw > HEADER_BYTES + URL_BYTES:\n", "        elif False:\n"),
    ),
    attempt(
        "fill it with a body in chunks",
        "portal.gateway.connection:Connection.on_body",
        READ + "test_bounds_bodies",
        Cut(
            FRONT,
            "            if self._body > self.config.body_bytes or len(self._parts) > MOST_PIECES:\n",
            "            if False:\n",
        ),
    ),
    attempt(
        "keep a connection busy by a request that drips",
        "portal.gateway.connection:Connection._time",
        "gateway/test_connection_deadlines.py::test_bodies_have_thirty_seconds_whatever_drips",
        Cut(
            FRONT,
            "        self.deadline = self.loop.time() + seconds\n",
            "        self.deadline = 0.0\n",
        ),
    ),
    attempt(
        "choose a request's id, so that two requests are one charge",
        "portal.gateway.app:visit",
        "gateway/test_scenarios.py::test_scenario_13_ids_are_ours",
        Cut(
            G + "app.py",
            "    seen = _Visit.of(client)\n    gateway.clients",
            "    seen = _Visit.of(client)\n"
            '    told = client.request.headers.get(b"x-request-id")\n'
            "    seen.request_id = told.decode() if told else seen.request_id\n    gateway.clients",
        ),
    ),
    attempt(
        "be given another client's answer by a site that answers once too often",
        "portal.gateway.upstream:_Wire.on_message_begin",
        ATTACKS + "test_an_answer_that_nobody_asked_for_mixes_up_no_clients",
        Cut(
            G + "upstream.py",
            "    def on_message_begin(self) -> None:\n        if self.exchange is None:\n",
            "    def on_message_begin(self) -> None:\n        if False:\n",
        ),
    ),
    attempt(
        "take all of a gateway's places, so that nobody else is answered",
        "portal.gateway.shedding:Shedding.enter",
        ATTACKS + "test_one_organization_does_not_take_the_whole_gateway",
        Cut(
            G + "shedding.py",
            "        if count >= self.most_each:\n",
            "        if False:\n",
        ),
    ),
    attempt(
        "find a prompt in the gateway's log",
        "portal.gateway.app:_note",
        ANSWERS + "test_never_logs_a_prompt_or_a_key",
        Cut(
            G + "app.py",
            "route=route, ",
            "route=repr(seen.call.asked.body) if seen.call else route, ",
        ),
    ),
    attempt(
        "find a key in the log that somebody sent as a path",
        "portal.gateway.app:_note",
        "gateway/test_scenarios.py::test_scenario_17_no_secrets_in_logs",
        Cut(
            G + "app.py", '    route = path if path in ROUTES else "other"\n', "    route = path\n"
        ),
    ),
    attempt(
        "get a site's credential out of what the site says",
        "portal.gateway.relay:_check_head",
        "gateway/bad_input/test_sites.py::"
        "test_a_site_that_tells_its_credential_tells_the_client_nothing",
        Cut(
            G + "relay.py",
            '        raise SiteFailed("status", f"answered with status {status}")\n',
            "        raise _refused(answers.read_refusal(await exchange.read_all(REFUSAL_BYTES)))\n",
        ),
    ),
    attempt(
        "learn by the time of an answer what another organization asked (prefixes)",
        "portal.gateway.affinity:prefix_of",
        "gateway/test_affinity.py::test_organizations_and_endpoints_do_not_meet",
        Cut(
            G + "affinity.py",
            "hash((organization, endpoint, beginning",
            "hash((endpoint, beginning",
        ),
    ),
    attempt(
        "flood a shared model so that others wait",
        "portal.gateway.fair_queue:FairQueue.serve",
        "gateway/test_fair_queue.py::test_a_flood_leaves_others_within_twice_their_own_time",
        Cut(
            G + "fair_queue.py",
            "            lanes.sort(key=lambda pair: self._serving.get(pair[1].organization, 0))\n",
            "            pass\n",
        ),
        Cut(
            G + "fair_queue.py",
            "                self._lanes[key] = self._lanes.pop(key)  # its next turn comes last\n",
            "                pass\n",
        ),
    ),
    attempt(
        "fill the queue so that nobody else gets a place in it",
        "portal.gateway.fair_queue:FairQueue.put",
        "gateway/test_fair_queue.py::"
        "test_a_full_queue_gives_a_place_of_the_largest_crowd_to_a_newcomer",
        Cut(
            G + "fair_queue.py",
            "        return self.length >= self.most and max(self._waiting.values(), default=0) <= own + 1\n",
            "        return self.length >= self.most\n",
        ),
    ),
    attempt(
        "have data answered at a site that is not allowed",
        "portal.gateway.dispatch:choose",
        "gateway/test_refusals.py::test_sends_nothing_to_a_site_that_is_not_allowed",
        Cut(
            G + "dispatch.py",
            "        if one.rank == OUT or one.target.site not in allowed:\n",
            "        if one.rank == OUT:\n",
        ),
    ),
    attempt(
        "spend one budget many times by asking at the same moment",
        "portal.admission.calls:admit",
        "gateway/test_scenarios.py::test_scenario_01_concurrent_overspend",
        Cut("portal/admission/functions.lua", "    if room < amount then\n", "    if false then\n"),
    ),
    attempt(
        "read another program's keys in Valkey with the gateway's password",
        "deploy.local.valkey_users:GATEWAY",
        "admission/test_users.py::test_a_program_can_do_nothing_else[gateway]",
        Cut(
            "deploy/local/valkey_users.py",
            '    f"%R~{{c*}}:grant:* {_HOLDS} %W~{{c*}}:events {_FENCE} ~{{c*}} "\n',
            '    f"%R~{{c*}}:grant:* {_HOLDS} ~{{c*}}:events {_FENCE} ~{{c*}} "\n',
        ),
        Cut(
            "deploy/local/valkey_users.py",
            '    f"{_HELLO} {_RECORDS} {_LEASES} xadd xlen",\n',
            '    f"{_HELLO} {_RECORDS} {_LEASES} xadd xlen xrange",\n',
        ),
    ),
    attempt(
        "ride on the key of the request before, on a connection that a proxy shares",
        "portal.gateway.admit:key_of",
        READ + "test_a_connection_lends_nobody_the_key_of_the_request_before",
        Cut(
            "portal/gateway/admit.py",
            "    if request.known is not None and request.known[0] == found:\n",
            "    if request.known is not None:\n",
        ),
    ),
]
