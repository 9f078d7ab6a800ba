"""People, organizations, rights, the audit log: to be read. Never shown: passwords, hashes of keys
and tokens, sealed fields, secrets of second factors, session keys, what stands in mails and files.
"""

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession

from tenants.models import (
    AccessLine,
    AccessReview,
    ApiKey,
    AuditChain,
    AuditEvent,
    AuditPerson,
    AuditPruning,
    AuditRetention,
    AuditSeal,
    Deputyship,
    DomainClaim,
    Invitation,
    KeyAnnouncement,
    Mail,
    Membership,
    Notice,
    NoticePreference,
    OperatorHold,
    OperatorNote,
    Organization,
    PaymentHold,
    Policy,
    Project,
    Proposal,
    Quota,
    QuotaRaise,
    SignIn,
    SingleSignOn,
    SingleSignOnIdentity,
    StaffView,
    StoredFile,
    User,
)
from tenants.reading_room import shows

# ─── people ────────────────────────────────────────────────────────────────────────────────────

shows(
    User,
    "public_id email name is_active is_superuser last_login date_joined is_staff",
    find="public_id email",
)
shows(EmailAddress, "user email verified primary", find="email")
shows(Authenticator, "user type created_at last_used_at")
shows(UserSession, "user ip user_agent created_at last_seen_at")
shows(SignIn, "user at address methods user_agent")

# ─── organizations and their people ────────────────────────────────────────────────────────────

shows(
    Organization,
    "public_id code name kind business_number created_at address",
    find="public_id code name business_number",
)
shows(
    Membership,
    "public_id organization user role joined_at all_projects projects",
    find="public_id user__email",
)
shows(
    Invitation,
    "public_id organization email role sent_at accepted_at revoked_at all_projects projects "
    "invited_by created_at sends expires_at",
    find="public_id email",
)
shows(
    Deputyship,
    "public_id organization absent deputy starts_date ends_date revoked_at created_at created_by",
    find="public_id",
)
shows(
    AccessReview,
    "public_id organization quarter opened_at due_date signed_at signed_by told_overdue_at "
    "signed_ref",
    find="public_id quarter",
)
shows(
    AccessLine,
    "public_id organization review kind subject label decision rights last_used_at decided_at "
    "decided_by",
    find="public_id subject",
)
shows(
    Policy,
    "organization mfa_required sso_only idle_minutes session_hours allowed_addresses changed_at",
)
shows(SingleSignOn, "public_id organization issuer client_id made_at tested_at", find="public_id")
shows(SingleSignOnIdentity, "organization issuer subject user bound_at", find="subject")
shows(DomainClaim, "public_id organization domain made_at proven_at", find="public_id domain")

# ─── projects, keys, files ─────────────────────────────────────────────────────────────────────

shows(
    Project,
    "public_id organization name data_class created_at archived_at cost_centre regions",
    find="public_id name",
)
shows(
    ApiKey,
    "public_id organization project name mode revoked_at used_at public_part scopes "
    "allowed_models allowed_sites allowed_addresses rpm_limit tpm_limit concurrency_limit "
    "created_by made_by replaces created_at expires_at used_from",
    find="public_id public_part",
)
shows(KeyAnnouncement, "organization key what about at")
shows(
    StoredFile,
    "public_id organization name media_type size created_by created_at",
    find="public_id",
)

# ─── the audit log ─────────────────────────────────────────────────────────────────────────────

shows(
    AuditEvent,
    "public_id organization at actor verb subject because actor_kind on_behalf group changes "
    "address request_id",
    find="public_id actor subject",
)
shows(AuditPerson, "organization ref label email erased_at", find="ref email")
shows(AuditSeal, "organization number first count at hash signed_by previous")
shows(AuditPruning, "organization number group before through count at through_hash signed_by")
shows(
    AuditChain,
    "organization number total sealed_at verified_at verified_number faults hash prunings "
    "seals_outside prunings_outside",
)
shows(AuditRetention, "organization access_months rights_months other_months")

# ─── what is told and sent ─────────────────────────────────────────────────────────────────────

shows(Notice, "public_id organization user kind at read_at mail place project", find="public_id")
shows(
    NoticePreference,
    "user language quiet_from quiet_until digest_hour digested_date mail muted_projects",
)
shows(
    Mail,
    "public_id organization to state queued_at sent_at attempts next_at maybe_twice fault "
    "message_id emptied_at",
    find="public_id to message_id",
)

# ─── the operator's own ────────────────────────────────────────────────────────────────────────

shows(
    OperatorHold,
    "public_id organization because held_at held_by lifted_at lifted_by lifted_because",
    find="public_id",
)
shows(
    PaymentHold,
    "public_id organization document number held_at lifted_at",
    find="public_id number",
)
shows(Quota, "organization name most because set_by set_at")
shows(
    QuotaRaise,
    "public_id organization name from_most to_most because state asked_at asked_by decided_at "
    "decided_by decided_because",
    find="public_id",
)
shows(OperatorNote, "public_id organization text by at", find="public_id")
shows(
    StaffView,
    "public_id organization staff because began_at until ended_at staff_label",
    find="public_id",
)
shows(
    Proposal,
    "public_id kind subject because proposed_by decision decided_by payload proposed_at "
    "expires_at decided_at decided_because",
    find="public_id subject",
)
