"""Where a person leaves traces: every column that points at a user, and every copied name.

One table says what the person gets a copy of and what becomes of it when the account ends; a test
walks all models and fails for a column that is missing here. Higher apps name their copies of
names in their ``AppConfig.ready``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.apps import apps
from django.db import models


class AtEnd(StrEnum):
    """What becomes of the rows when the account ends."""

    REMOVED = "removed"
    NOBODY = "nobody"  # the row stays and points at nobody
    KEPT = "kept"  # the row stays and points at a former member without name or address


@dataclass(frozen=True, slots=True)
class Trace:
    """``section`` names the part of the copy; ``fields`` are what it tells of each row."""

    section: str
    fields: tuple[str, ...]
    at_end: AtEnd
    because: str


# ``app.Model.column``. Columns of apps that are not installed wait for them.
TRACES: dict[str, Trace] = {
    "tenants.Membership.user": Trace(
        "memberships",
        ("public_id", "organization__public_id", "organization__name", "role", "joined_at"),
        AtEnd.REMOVED,
        "A former member may do nothing; the audit log keeps that there was one.",
    ),
    "tenants.ApiKey.made_by": Trace(
        "keys",
        (
            "public_id",
            "public_part",
            "name",
            "mode",
            "scopes",
            "created_at",
            "expires_at",
            "revoked_at",
            "organization__public_id",
            "project__public_id",
        ),
        AtEnd.NOBODY,
        "Keys end with the one who answers for them; what they used stays in the ledger.",
    ),
    "tenants.Notice.user": Trace(
        "notices",
        ("public_id", "kind", "words", "place", "at", "read_at", "organization__public_id"),
        AtEnd.REMOVED,
        "Nobody is left to read them.",
    ),
    "tenants.StoredFile.made_by": Trace(
        "files",
        (
            "public_id",
            "name",
            "media_type",
            "size",
            "sha256",
            "created_at",
            "organization__public_id",
        ),
        AtEnd.NOBODY,
        "The file is the organization's evidence.",
    ),
    "tenants.Invitation.invited_by": Trace(
        "invitations",
        (
            "public_id",
            "role",
            "created_at",
            "expires_at",
            "accepted_at",
            "revoked_at",
            "organization__public_id",
        ),
        AtEnd.KEPT,
        "Records of rights, three years; the open ones are revoked.",
    ),
    "tenants.NoticePreference.user": Trace(
        "preferences",
        (
            "language",
            "mail",
            "quiet_from",
            "quiet_until",
            "digest_hour",
            "muted_projects",
        ),
        AtEnd.REMOVED,
        "Nobody is left to be told.",
    ),
    "tenants.SignIn.user": Trace(
        "sign_ins",
        (
            "at",
            "address",
            "user_agent",
            "methods",
        ),
        AtEnd.KEPT,
        "Records of access, three months (통신비밀보호법 시행령 제41조); then they are swept.",
    ),
    "tenants.SingleSignOnIdentity.user": Trace(
        "single_sign_on",
        (
            "issuer",
            "subject",
            "bound_at",
            "organization__public_id",
        ),
        AtEnd.REMOVED,
        "Nobody signs in any more; who comes again is somebody new.",
    ),
    "tenants.StaffView.staff": Trace(
        "staff_views",
        (
            "public_id",
            "because",
            "began_at",
            "until",
            "ended_at",
        ),
        AtEnd.KEPT,
        "Records of access: which of the operator's staff looked, under an opaque id.",
    ),
    "tenants.Proposal.proposed_by": Trace(
        "proposals",
        (
            "public_id",
            "kind",
            "subject",
            "because",
            "proposed_at",
            "decision",
        ),
        AtEnd.KEPT,
        "It proves that two people decided.",
    ),
    "tenants.Proposal.decided_by": Trace(
        "decisions",
        (
            "public_id",
            "kind",
            "subject",
            "decided_because",
            "decided_at",
            "decision",
        ),
        AtEnd.KEPT,
        "It proves that two people decided.",
    ),
    "billing.BudgetRaise.asked_by": Trace(
        "budget_raises",
        ("public_id", "from_won", "to_won", "until_at", "because", "asked_at", "decision"),
        AtEnd.KEPT,
        "Records of what may be spent: who asked for it, under an opaque id.",
    ),
    "billing.ApprovalRequest.requested_by": Trace(
        "approval_requests",
        (
            "public_id",
            "kind",
            "title",
            "amount_won",
            "because",
            "requested_at",
            "state",
            "organization__public_id",
        ),
        AtEnd.KEPT,
        "It shows for what money was asked, as long as the books are kept.",
    ),
    "billing.ApprovalDecision.decided_by": Trace(
        "approval_decisions",
        ("request__public_id", "agrees", "because", "at", "organization__public_id"),
        AtEnd.KEPT,
        "It proves who signed for the money, as long as the books are kept.",
    ),
    "billing.ApprovalDecision.for_user": Trace(
        "approvals_by_deputies",
        ("request__public_id", "agrees", "at", "organization__public_id"),
        AtEnd.KEPT,
        "It proves for whom a deputy signed, as long as the books are kept.",
    ),
    "tenants.PersonalExport.user": Trace(
        "exports",
        ("public_id", "asked_at", "made_at", "expires_at", "size"),
        AtEnd.REMOVED,
        "A copy for nobody.",
    ),
    "tenants.AccountDeletion.user": Trace(
        "deletions",
        ("public_id", "asked_at", "due_at", "undone_at"),
        AtEnd.KEPT,
        "It shows that the person asked for it, and when it was done.",
    ),
    "tenants.Consent.user": Trace(
        "consents",
        ("terms__public_id", "at", "language", "organization__public_id"),
        AtEnd.KEPT,
        "It shows who agreed for the organization, as long as the contract's records are kept.",
    ),
    "tenants.Signup.user": Trace(
        "signup",
        ("choice", "name", "business_number", "medical_number", "corporate_number", "saved_at"),
        AtEnd.REMOVED,
        "Nobody goes on with it.",
    ),
    "tenants.User_groups.user": Trace(
        "groups", ("group__name",), AtEnd.REMOVED, "A former member may do nothing."
    ),
    "tenants.User_user_permissions.user": Trace(
        "permissions",
        ("permission__codename",),
        AtEnd.REMOVED,
        "A former member may do nothing.",
    ),
    "admin.LogEntry.user": Trace(
        "admin",
        ("action_time", "object_repr"),
        AtEnd.REMOVED,
        "The reading room writes none; Django's table is there all the same.",
    ),
    "account.EmailAddress.user": Trace(
        "addresses",
        ("email", "verified", "primary"),
        AtEnd.REMOVED,
        "Nobody is written to any more.",
    ),
    "mfa.Authenticator.user": Trace(
        "authenticators",
        ("type", "created_at", "last_used_at"),
        AtEnd.REMOVED,
        "Nobody signs in any more.",
    ),
    "socialaccount.SocialAccount.user": Trace(
        "provider_accounts",
        ("provider", "uid", "date_joined", "last_login"),
        AtEnd.REMOVED,
        "Nobody signs in any more.",
    ),
    "usersessions.UserSession.user": Trace(
        "devices",
        ("ip", "user_agent", "created_at", "last_seen_at"),
        AtEnd.REMOVED,
        "Nobody signs in any more.",
    ),
}

# ``app.Model.column`` → the column whose value names the row, for columns that copy a name.
COPIED_NAMES: dict[str, str] = {
    "tenants.AccessLine.decided_by": "public_id",
    "tenants.AccessLine.label": "public_id",
    "tenants.AccessReview.signed_by": "public_id",
    "tenants.ApiKey.created_by": "public_id",
    "tenants.Deputyship.created_by": "public_id",
    "tenants.Evidence.handed_in_by": "public_id",
    "tenants.OperatorHold.held_by": "public_id",
    "tenants.OperatorHold.lifted_by": "public_id",
    "tenants.OperatorNote.by": "public_id",
    "tenants.Quota.set_by": "name",
    "tenants.QuotaRaise.asked_by": "public_id",
    "tenants.QuotaRaise.decided_by": "public_id",
    "tenants.StaffView.staff_label": "public_id",
    "tenants.StoredFile.created_by": "public_id",
}


def copies_a_name(column: str, *, named_by: str) -> None:
    """A higher app says that ``app.Model.column`` holds people's names."""
    COPIED_NAMES[column] = named_by


def resolved(column: str) -> tuple[type[models.Model], str] | None:
    """The model and the column; ``None`` while its app is not installed."""
    label, _, name = column.rpartition(".")
    try:
        return apps.get_model(label), name
    except LookupError:
        return None


def pointing() -> Iterator[tuple[Trace, type[models.Model], str]]:
    """The installed part of the table."""
    for column, trace in TRACES.items():
        if (found := resolved(column)) is not None:
            yield trace, *found
