"""Users stand outside the wall; everything else belongs to one organization."""

from tenants.models.audit import (
    AuditChain,
    AuditEvent,
    AuditPerson,
    AuditPruning,
    AuditRetention,
    AuditSeal,
    EventGroup,
)
from tenants.models.deputies import Deputyship
from tenants.models.files import StoredFile
from tenants.models.incidents import Incident, IncidentUpdate
from tenants.models.invitations import Invitation
from tenants.models.keys import ApiKey, KeyMode
from tenants.models.mails import Mail, MailState
from tenants.models.notices import KeyAnnouncement, Language, Notice, NoticePreference
from tenants.models.organizations import (
    Membership,
    OfProject,
    Organization,
    OrganizationKind,
    TenantQuerySet,
)
from tenants.models.oversight import (
    Decision,
    OperatorHold,
    OperatorNote,
    PaymentHold,
    Proposal,
    Quota,
    QuotaRaise,
    RaiseState,
    StaffView,
)
from tenants.models.people import User, UserManager
from tenants.models.personal import AccountDeletion, PersonalExport
from tenants.models.policies import DomainClaim, Policy, SingleSignOn, SingleSignOnIdentity
from tenants.models.projects import NEVER_KEPT, DataClass, ModelAlias, Project
from tenants.models.registration_states import Registration
from tenants.models.registrations import (
    Consent,
    Evidence,
    EvidenceKind,
    EvidenceRequest,
    EvidenceState,
    RegistrationMove,
    Signup,
    Terms,
)
from tenants.models.reviews import AccessLine, AccessReview, LineDecision, LineKind
from tenants.models.sign_ins import SignIn
from tenants.models.support import (
    SupportAttachment,
    SupportConsent,
    SupportFollower,
    SupportMessage,
    SupportMove,
    SupportRemark,
    SupportRequest,
)

__all__ = [
    "NEVER_KEPT",
    "AccessLine",
    "AccessReview",
    "AccountDeletion",
    "ApiKey",
    "AuditChain",
    "AuditEvent",
    "AuditPerson",
    "AuditPruning",
    "AuditRetention",
    "AuditSeal",
    "Consent",
    "DataClass",
    "Decision",
    "Deputyship",
    "DomainClaim",
    "EventGroup",
    "Evidence",
    "EvidenceKind",
    "EvidenceRequest",
    "EvidenceState",
    "Incident",
    "IncidentUpdate",
    "Invitation",
    "KeyAnnouncement",
    "KeyMode",
    "Language",
    "LineDecision",
    "LineKind",
    "Mail",
    "MailState",
    "Membership",
    "ModelAlias",
    "Notice",
    "NoticePreference",
    "OfProject",
    "OperatorHold",
    "OperatorNote",
    "Organization",
    "OrganizationKind",
    "PaymentHold",
    "PersonalExport",
    "Policy",
    "Project",
    "Proposal",
    "Quota",
    "QuotaRaise",
    "RaiseState",
    "Registration",
    "RegistrationMove",
    "SignIn",
    "Signup",
    "SingleSignOn",
    "SingleSignOnIdentity",
    "StaffView",
    "StoredFile",
    "SupportAttachment",
    "SupportConsent",
    "SupportFollower",
    "SupportMessage",
    "SupportMove",
    "SupportRemark",
    "SupportRequest",
    "TenantQuerySet",
    "Terms",
    "User",
    "UserManager",
]
