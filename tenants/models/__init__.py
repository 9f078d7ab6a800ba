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
    Proposal,
    Quota,
    StaffView,
)
from tenants.models.people import User, UserManager
from tenants.models.personal import AccountDeletion, PersonalExport
from tenants.models.policies import DomainClaim, Policy, SingleSignOn, SingleSignOnIdentity
from tenants.models.projects import DataClass, Project
from tenants.models.reviews import AccessLine, AccessReview, LineDecision, LineKind
from tenants.models.sign_ins import SignIn

__all__ = [
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
    "DataClass",
    "Decision",
    "Deputyship",
    "DomainClaim",
    "EventGroup",
    "Invitation",
    "KeyAnnouncement",
    "KeyMode",
    "Language",
    "LineDecision",
    "LineKind",
    "Mail",
    "MailState",
    "Membership",
    "Notice",
    "NoticePreference",
    "OfProject",
    "OperatorHold",
    "OperatorNote",
    "Organization",
    "OrganizationKind",
    "PersonalExport",
    "Policy",
    "Project",
    "Proposal",
    "Quota",
    "SignIn",
    "SingleSignOn",
    "SingleSignOnIdentity",
    "StaffView",
    "StoredFile",
    "TenantQuerySet",
    "User",
    "UserManager",
]
