"""The operator's powers, and the log that watches them."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt

VIEWING, TWO = "tenants/viewing.py", "operator/test_two_people.py::"
WRITABLE = (
    Cut(
        VIEWING,
        "        with rls.read_only(), _scope(request, view):\n",
        "        with _scope(request, view):\n",
    ),
    Cut(
        "tenants/actors.py",
        "    with rls.read_only(), rls.tenant(organization_id):\n",
        "    with rls.tenant(organization_id):\n",
    ),
)

ROWS = [
    attempt(
        "change something while looking at a customer's pages",
        "tenants.viewing:answer",
        "web/test_viewing.py::test_changes_nothing_by_any_form_or_call",
        Cut(
            VIEWING,
            '    if request.method not in READING or request.path.startswith("/accounts/"):\n',
            "    if False:\n",
        ),
        Cut(
            VIEWING,
            "        verbs=roles.read_only(),\n",
            "        verbs=actor.verbs | roles.read_only(),\n",
        ),
        *WRITABLE,
    ),
    attempt(
        "write by a page that should only show, while looking",
        "tenants.rls:read_only",
        "web/test_viewing.py::test_a_page_that_writes_by_mistake_fails",
        *WRITABLE,
    ),
    attempt(
        "forge a view of a customer in the session",
        "tenants.viewing:through",
        "web/test_viewing.py::test_a_forged_session_value_opens_nothing",
        Cut(
            VIEWING,
            "            .filter(public_id=str(chosen), staff=actor.user)\n",
            "            .filter(public_id=str(chosen))\n",
        ),
        Cut(VIEWING, ' or not actor.can("operator.view_as"):', ":"),
    ),
    attempt(
        "go on looking in a page that is still open when the time is over",
        "tenants.models.oversight:StaffView.is_live_at",
        "web/test_viewing.py::test_ends_by_itself",
        Cut(VIEWING, " or not view.is_live_at(timezone.now())", ""),
    ),
    attempt(
        "send a form into one's own organization when the view is over",
        "tenants.viewing:_over",
        "web/test_viewing.py::test_a_form_sent_after_the_end_does_nothing",
        Cut(
            VIEWING,
            '    if getattr(request, "view_is_over", False):\n        return _over(request)\n',
            '    if getattr(request, "view_is_over", False):\n        return None\n',
        ),
    ),
    attempt(
        "look at a customer without its knowing",
        "tenants.viewing:_note_page",
        "web/test_viewing.py::test_tells_the_customer_and_names_each_page_in_its_log",
        Cut(VIEWING, "    _note_page(request)\n"),
    ),
    attempt(
        "approve one's own proposal from a second browser",
        "tenants.actions.proposals:approve",
        TWO + "test_suspends_only_with_a_second_person",
        Cut(
            "tenants/actions/proposals.py",
            "    if proposal.proposed_by_id == person.pk:\n        raise NeedsAnother\n",
        ),
    ),
    attempt(
        "approve it under two sessions of one person",
        "tenants.actions.proposals:approve",
        "breakins/test_people.py::test_one_person_in_two_browsers_is_one_person",
        Cut(
            "tenants/actions/proposals.py",
            "    if proposal.proposed_by_id == person.pk:\n        raise NeedsAnother\n",
        ),
        Cut(
            "tenants/migrations/0001_baseline.py",
            "                                models.Q(\n"
            '                                    ("decided_by__isnull", False),\n'
            '                                    models.Q(decided_by=models.F("proposed_by"), _negated=True),\n'
            "                                ),\n",
            "                                models.Q(decided_by__isnull=False),\n",
        ),
    ),
    attempt(
        "approve one's own proposal by SQL",
        "tenants.models.oversight:Proposal",
        TWO + "test_the_database_itself_refuses_a_self_approval",
        Cut(
            "tenants/migrations/0001_baseline.py",
            "                                models.Q(\n"
            '                                    ("decided_by__isnull", False),\n'
            '                                    models.Q(decided_by=models.F("proposed_by"), _negated=True),\n'
            "                                ),\n",
            "                                models.Q(decided_by__isnull=False),\n",
        ),
    ),
    attempt(
        "decide a proposal whose week is over",
        "tenants.actions.proposals:_locked",
        TWO + "test_a_proposal_is_over_after_a_week",
        Cut(
            "tenants/actions/proposals.py",
            "    if found.decision != Decision.OPEN or found.expires_at <= now:\n",
            "    if found.decision != Decision.OPEN:\n",
        ),
    ),
    attempt(
        "raise one's own quota as a customer",
        "tenants.actions.quotas:change",
        "breakins/test_people.py::test_a_customer_raises_no_quota",
        Cut("tenants/actions/quotas.py", '    by.require("operator.quotas")\n'),
    ),
    attempt(
        "raise one's own quota by SQL in one's own tenant",
        "tenants.migration_ops:TenantTable",
        TWO + "test_a_customer_gives_itself_no_quota",
        Cut(
            "tenants/migrations/0002_baseline_wall.py",
            'TenantTable("tenants_quota", mine="false", also_readable=OURS)',
            'TenantTable("tenants_quota", also_readable=OURS)',
        ),
    ),
    attempt(
        "get an operator's verb as a customer's owner",
        "tenants.roles:ROLES",
        "tenants/test_actions.py::test_gives_no_customer_an_operator_verb",
        Cut(
            "tenants/roles.py",
            "    Role.OWNER: frozenset(set(VERBS) - _OPERATOR),\n",
            "    Role.OWNER: frozenset(VERBS),\n",
        ),
    ),
    attempt(
        "order while suspended",
        "tenants.standing:require_ordering",
        TWO + "test_orders_nothing_new",
        Cut(
            "tenants/standing.py",
            "    if found := reasons(organization):\n",
            "    if found := []:\n",
        ),
    ),
    attempt(
        "order while suspended, by the page",
        "tenants.standing:require_ordering",
        "breakins/test_people.py::test_a_member_of_a_suspended_firm_reads_and_orders_nothing",
        Cut(
            "tenants/standing.py",
            "    if found := reasons(organization):\n",
            "    if found := []:\n",
        ),
    ),
    attempt(
        "change or remove an audit event by SQL",
        "tenants.migration_ops:AppendOnly",
        "tenants/test_wall.py::test_keeps_audit_events_for_ever",
        Cut(
            "tenants/migrations/0003_baseline_audit.py",
            '        AppendOnly("tenants_auditevent", refuses=GUARD),\n',
        ),
        Cut(
            "tenants/migrations/0003_baseline_audit.py",
            "REVOKE UPDATE, DELETE, TRUNCATE ON tenants_auditevent,",
            "REVOKE TRUNCATE ON tenants_auditevent,",
        ),
    ),
    attempt(
        "change one byte of a sealed event as the database's superuser",
        "tenants.verifying:_events",
        "tenants/test_audit_chain.py::test_finds_what_a_superuser_did",
        Cut(
            "tenants/verifying.py",
            "            if chain.leaf_of(row)[-32:] != leaf.hash:\n",
            "            if False:\n",
        ),
    ),
    attempt(
        "cut the log off and write its chain anew",
        "tenants.verifying:_seal",
        "tenants/test_audit_chain.py::test_finds_a_chain_that_was_cut_and_written_anew",
        Cut(
            "tenants/verifying.py",
            "    if not sealing.signer().holds(point.statement, seal.signed_by, seal.signature):\n",
            "    if False:\n",
        ),
    ),
    attempt(
        "keep a deed out of the log by a reason that does not fit",
        "tenants.audit:record",
        "breakins/test_people.py::test_a_long_reason_keeps_no_deed_out_of_the_log",
        Cut("tenants/audit.py", "        because=because[:300],\n", "        because=because,\n"),
    ),
    attempt(
        "read secrets in the log",
        "tenants.audit:without_secrets",
        "tenants/test_audit.py::test_keeps_no_secret",
        Cut(
            "tenants/audit.py",
            "        changes=without_secrets(changes or {}),\n",
            "        changes=changes or {},\n",
        ),
    ),
    attempt(
        "look at members or the log without a trace",
        "tenants.audit:seen",
        "web/test_audit.py::test_looking_at_the_log_and_at_members_is_an_event",
        Cut("tenants/audit.py", "    if not known.exists():\n", "    if False:\n"),
    ),
    attempt(
        "read mails with codes and links in their table",
        "tenants.mails:queue",
        "notices/test_mails.py::test_only_the_platform_sees_the_outbox",
        Cut(
            "tenants/migration_ops.py",
            'f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})",',
            'f"CREATE POLICY tenant ON {table} USING (true) WITH CHECK (true)",',
        ),
    ),
]
