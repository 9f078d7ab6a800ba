"""API keys that can more than they should, or longer, or from elsewhere."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt

KEYS, AT_GATEWAY, REFUSALS = (
    "tenants/test_keys.py::",
    "gateway/test_keys.py::",
    "gateway/test_refusals.py::",
)
ADMIT, ACTORS = "portal/gateway/admit.py", "tenants/actors.py"

ROWS = [
    attempt(
        "make a key that can more than its maker",
        "tenants.scopes:beyond",
        KEYS + "test_gives_no_scope_that_its_maker_lacks",
        Cut(
            "tenants/actions/keys.py",
            "if beyond := scopes.beyond(wanted, by.own_verbs):",
            "if beyond := []:",
        ),
    ),
    attempt(
        "keep a key's rights when its maker's shrink",
        "tenants.actors:_verbs_of_maker",
        KEYS + "test_a_key_shrinks_with_its_maker",
        Cut(
            ACTORS,
            "verbs=scopes.verbs_of(key.scopes) & _verbs_of_maker(key, maker),",
            "verbs=scopes.verbs_of(key.scopes),",
        ),
    ),
    attempt(
        "go on with a key whose maker has left",
        "tenants.actors:_verbs_of_maker",
        KEYS + "test_a_key_whose_maker_left_may_do_nothing",
        Cut(
            ACTORS,
            "verbs=scopes.verbs_of(key.scopes) & _verbs_of_maker(key, maker),",
            "verbs=scopes.verbs_of(key.scopes),",
        ),
    ),
    attempt(
        "use a revoked or expired key at the control API",
        "tenants.models.keys:ApiKey.state_at",
        "tenants/test_actions.py::test_knows_no_actor_for_a_dead_key",
        Cut(
            ACTORS,
            'if key is None or key.state_at(now) != "live" or key.project.archived_at is not None:',
            "if key is None:",
        ),
    ),
    attempt(
        "use a revoked key at the gateway while the publisher is dead",
        "portal.routing.revoking:after_commit",
        "routing/test_revoking.py::test_tells_the_gateway_without_the_publisher",
        Cut(
            "portal/routing/revoking.py",
            "    transaction.on_commit(partial(tell, organization, list(ended)), robust=True)\n",
            "    return\n",
        ),
    ),
    attempt(
        "find a key by its neighbours: other case, blanks, a cut end",
        "portal.lib.ids:parse_api_key",
        "api/test_permissions.py::test_knows_no_other_spelling_of_a_key",
        Cut(
            "portal/lib/ids.py",
            "    match = _KEY_SHAPE.match(text)\n",
            "    text = text.strip().lower()\n    match = _KEY_SHAPE.match(text)\n",
        ),
    ),
    attempt(
        "learn from the answer what is wrong with a key",
        "portal.gateway.admit:key_of",
        REFUSALS + "test_gives_every_wrong_key_the_same_answer",
        Cut(
            ADMIT,
            "    if parts is None:\n        raise errors.invalid_api_key()\n    request.known = (found, parts)",
            '    if parts is None:\n        raise errors.other_organization("Authorization")\n    request.known = (found, parts)',
        ),
    ),
    attempt(
        "call a model with a key that was made for reading invoices",
        "portal.gateway.admit:check_use",
        AT_GATEWAY + "test_calls_no_model_without_the_scope",
        Cut(ADMIT, "    if not grant.inference:\n", "    if False:\n"),
    ),
    attempt(
        "call with a key from outside its addresses",
        "portal.gateway.admit:check_use",
        AT_GATEWAY + "test_works_only_from_its_addresses",
        Cut(ADMIT, "        if not grant.allows_from(address):\n", "        if False:\n"),
    ),
    attempt(
        "say by X-Forwarded-For that one calls from inside",
        "portal.gateway.request:Request.address",
        AT_GATEWAY + "test_believes_no_address_that_the_client_writes",
        Cut(
            "portal/gateway/request.py",
            "        if not proxies:\n            return self.peer\n",
            '        if not proxies and b"x-forwarded-for" not in self.headers:\n'
            "            return self.peer\n"
            "        proxies = max(proxies, 1)\n",
        ),
    ),
    attempt(
        "use a key at the control API from outside its addresses",
        "tenants.actors:of_key",
        KEYS + "test_acts_only_from_its_addresses",
        Cut(
            ACTORS,
            "        if key.allowed_addresses and not covers(key.allowed_addresses, origin.address):\n",
            "        if False:\n",
        ),
    ),
    attempt(
        "act for another organization by OpenAI-Organization",
        "portal.gateway.admit:check_use",
        REFUSALS + "test_refuses_to_act_for_others",
        Cut(
            ADMIT,
            "    if organization is not None and organization != grant.organization.encode():\n",
            "    if False:\n",
        ),
        Cut(
            ADMIT,
            "    if project is not None and project != grant.project.encode():\n",
            "    if False:\n",
        ),
    ),
    attempt(
        "open pages with a key",
        "tenants.actors:_of_request",
        "breakins/test_requests.py::test_a_key_opens_no_page",
        Cut(
            ACTORS,
            '    if request.path.startswith(("/api/", "/v1/")) and header:\n',
            "    if header:\n",
        ),
        Cut(
            "portal/web/doors.py",
            "        return login_required(guarded)\n",
            "        return guarded\n",
        ),
    ),
    attempt(
        "make somebody's browser call the API (session without a token)",
        "portal.api.authentication:ActorAuthentication.authenticate",
        "api/test_permissions.py::test_takes_no_session_without_its_token",
        Cut(
            "portal/api/authentication.py", "        if actor.key is None:\n", "        if False:\n"
        ),
    ),
    attempt(
        "take over a key's project, mode or hash by a field of the body",
        "portal.api.shapes:Strict",
        "web/test_bad_input.py::test_case_75_no_field_comes_in_beside_the_known_ones",
        Cut(
            "portal/api/shapes.py",
            "if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):",
            "if unknown := []:",
        ),
    ),
    attempt(
        "use a key of a project that its maker may no longer see",
        "tenants.actors:_verbs_of_maker",
        "tenants/test_people.py::test_a_key_of_a_project_that_its_maker_lost_does_nothing",
        Cut(
            ACTORS,
            "    if maker is None or not (maker.all_projects or key.project.public_id in maker.projects):\n",
            "    if maker is None:\n",
        ),
    ),
    attempt(
        "read a key in the database or the log",
        "portal.lib.ids:hash_api_key",
        "tenants/test_actions.py::test_shows_a_key_once_and_keeps_its_hash",
        Cut(
            "portal/lib/ids.py",
            "    return hashlib.sha256(text.encode()).hexdigest()\n",
            "    return text[:64]\n",
        ),
    ),
]
