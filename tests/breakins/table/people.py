"""More rights than one has: by roles, invitations, deputies, and by being gone."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt

MEMBERS, INVITATIONS = "tenants/actions/members.py", "tenants/actions/invitations.py"
PEOPLE = "tenants/test_people.py::"
NO_CEILING = (
    Cut(MEMBERS, "    if role == Role.OWNER and by.role != Role.OWNER:\n", "    if False:\n"),
    Cut(MEMBERS, 'if by.kind == "user" and not may_give(by.role, role):', "if False:"),
)

ROWS = [
    attempt(
        "give oneself a better role",
        "tenants.actions.members:change",
        PEOPLE + "test_nobody_promotes_themselves",
        Cut(
            MEMBERS,
            '    by.require("members.change")\n    membership = _locked(membership, by)\n    if role',
            "    membership = _locked(membership, by)\n    if role",
        ),
        *NO_CEILING,
    ),
    attempt(
        "become an owner as an administrator",
        "tenants.actions.members:check_gives",
        PEOPLE + "test_an_administrator_does_not_rise_by_a_role",
        *NO_CEILING,
    ),
    attempt(
        "take an owner's role away as an administrator",
        "tenants.actions.members:change",
        PEOPLE + "test_an_administrator_leaves_owners_alone",
        Cut(
            MEMBERS,
            "        if membership.role == Role.OWNER and by.role != Role.OWNER:\n",
            "        if False:\n",
        ),
    ),
    attempt(
        "rise through an invitation to a better role",
        "tenants.actions.members:check_gives",
        "tenants/test_invitations.py::test_nobody_rises_through_an_invitation",
        *NO_CEILING,
    ),
    attempt(
        "let an invitation outlive the rights of the one who sent it",
        "tenants.actions.invitations:_still_given",
        "tenants/test_invitations.py::test_a_lowered_inviters_invitations_end",
        Cut(INVITATIONS, "            or not _still_given(invitation)\n"),
        Cut(
            MEMBERS,
            "        _withdraw(membership.user, membership.role, by, now)\n",
        ),
        Cut(MEMBERS, '    _withdraw(membership.user, "", by, now)\n'),
        Cut(MEMBERS, "    _withdraw(own.user, own.role, by, now)\n"),
    ),
    attempt(
        "use an invitation again, or when it is over or revoked",
        "tenants.actions.invitations:accept",
        "tenants/test_invitations.py::test_a_link_that_is_no_good_says_one_sentence",
        Cut(INVITATIONS, '            or invitation.state_at(now) != "open"\n'),
        Cut(INVITATIONS, 'if found is None or found.state_at(now) != "open":', "if found is None:"),
    ),
    attempt(
        "accept one invitation in two tabs at once, or while it is revoked",
        "tenants.actions.invitations:accept",
        "tenants/test_invitations_at_once.py::test_of_accepting_and_revoking_at_once_one_wins",
        Cut(
            INVITATIONS,
            "        Organization.objects.select_for_update().get(pk=organization_id)\n",
        ),
        Cut(
            INVITATIONS,
            'rows = Invitation.objects.select_for_update(of=("self",)).select_related("organization")',
            'rows = Invitation.objects.select_related("organization")',
        ),
        Cut(INVITATIONS, '            or invitation.state_at(now) != "open"\n'),
    ),
    attempt(
        "accept an invitation that was sent to another address",
        "tenants.actions.invitations:is_for",
        "web/test_people.py::test_another_address_is_told_nothing",
        Cut(INVITATIONS, "    return bool(found.exists())\n", "    return True\n"),
    ),
    attempt(
        "leave an organization without an owner: two tabs, two owners",
        "tenants.actions.members:lock",
        "web/test_bad_input.py::test_case_77_of_two_owners_who_remove_each_other_one_stays",
        Cut(
            MEMBERS,
            "    Organization.objects.select_for_update().get(pk=by.organization.pk)\n"
            "    if by.user is not None:\n",
            "    if False:\n",
        ),
        Cut(
            MEMBERS,
            "def _keep_an_owner(membership: Membership) -> None:\n    if membership.role == Role.OWNER",
            "def _keep_an_owner(membership: Membership) -> None:\n    if False",
        ),
    ),
    attempt(
        "demote or remove the last owner",
        "tenants.actions.members:_another_owner",
        "tenants/test_actions.py::test_never_loses_the_last_owner",
        Cut(
            MEMBERS,
            "def _keep_an_owner(membership: Membership) -> None:\n    if membership.role == Role.OWNER",
            "def _keep_an_owner(membership: Membership) -> None:\n    if False",
        ),
    ),
    attempt(
        "go on in a tab that was opened before one's removal",
        "tenants.actions.members:_end",
        "web/test_people.py::test_a_removed_member_with_a_session_has_nothing_from_then_on",
        Cut(MEMBERS, "    Membership.objects.filter(pk=membership.pk).delete()\n"),
    ),
    attempt(
        "change members with a form that was sent before one was removed",
        "tenants.actions.members:lock",
        PEOPLE + "test_who_was_removed_meanwhile_does_nothing_more",
        Cut(MEMBERS, "        if own is None or own.role != by.role:\n", "        if False:\n"),
    ),
    attempt(
        "hand on what was only lent to a deputy",
        "tenants.actors:Actor.own_verbs",
        "tenants/test_deputies.py::test_a_deputy_hands_nothing_of_it_on",
        Cut(
            "tenants/actors.py",
            "        return self.organization.verbs_of(self.role)\n",
            "        return self.verbs\n",
        ),
    ),
    attempt(
        "stay a deputy past the last day",
        "tenants.actors:lending",
        "tenants/test_deputies.py::test_stands_in_from_the_first_day_until_before_the_last",
        Cut(
            "tenants/migrations/0002_baseline_wall.py",
            '    "AND d.starts_date <= day AND day < d.ends_date"\n',
            '    "AND d.starts_date <= day"\n',
        ),
    ),
    attempt(
        "see a project that one's membership leaves out",
        "tenants.models.organizations:TenantQuerySet.visible_to",
        "web/test_people.py::test_a_limited_member_sees_only_their_projects",
        Cut(
            "tenants/models/organizations.py",
            "        if actor.projects is not None and self.project_path:\n",
            "        if False:\n",
        ),
    ),
    attempt(
        "bring fields in that no form has: organization, user, is_staff",
        "portal.api.shapes:Strict",
        "web/test_people.py::test_no_field_comes_in_beside_the_known_ones",
        Cut(
            "portal/api/shapes.py",
            "if isinstance(data, dict) and (unknown := sorted(set(data) - set(self.fields))):",
            "if unknown := []:",
        ),
    ),
    attempt(
        "change a signed access review by SQL",
        "tenants.migration_ops:AppendOnly",
        "tenants/test_reviews.py::test_a_signed_review_is_not_changed_by_sql_either",
        Cut(
            "tenants/migrations/0002_baseline_wall.py",
            '        AppendOnly("tenants_accessreview", unless="OLD.signed_at IS NULL", may=erased("signed_by")),\n',
        ),
        Cut(
            "tenants/migrations/0002_baseline_wall.py",
            "        RunSQL(SIGNED_LINES),\n",
        ),
    ),
]
