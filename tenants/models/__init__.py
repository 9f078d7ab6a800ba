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
from tenants.models.notices import Notice
from tenants.models.organizations import (
    Membership,
    OfProject,
    Organization,
    OrganizationKind,
    TenantQuerySet,
)
from tenants.models.people import User, UserManager
from tenants.models.projects import DataClass, Project
from tenants.models.reviews import AccessLine, AccessReview, Decision, LineKind

__all__ = [
    "AccessLine",
    "AccessReview",
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
    "EventGroup",
    "Invitation",
    "KeyMode",
    "LineKind",
    "Membership",
    "Notice",
    "OfProject",
    "Organization",
    "OrganizationKind",
    "Project",
    "StoredFile",
    "TenantQuerySet",
    "User",
    "UserManager",
]
