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
from tenants.models.files import StoredFile
from tenants.models.keys import ApiKey, KeyMode
from tenants.models.mails import Mail, MailState
from tenants.models.notices import KeyAnnouncement, Language, Notice, NoticePreference
from tenants.models.organizations import Membership, Organization, OrganizationKind, TenantQuerySet
from tenants.models.oversight import (
    Decision,
    OperatorHold,
    OperatorNote,
    Proposal,
    Quota,
    StaffView,
)
from tenants.models.people import User, UserManager
from tenants.models.policies import DomainClaim, Policy, SingleSignOn, SingleSignOnIdentity
from tenants.models.projects import DataClass, Project
from tenants.models.sign_ins import SignIn

__all__ = [
    "ApiKey",
    "AuditChain",
    "AuditEvent",
    "AuditPerson",
    "AuditPruning",
    "AuditRetention",
    "AuditSeal",
    "DataClass",
    "Decision",
    "DomainClaim",
    "EventGroup",
    "KeyAnnouncement",
    "KeyMode",
    "Language",
    "Mail",
    "MailState",
    "Membership",
    "Notice",
    "NoticePreference",
    "OperatorHold",
    "OperatorNote",
    "Organization",
    "OrganizationKind",
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
