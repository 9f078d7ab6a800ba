"""Users stand outside the wall; everything else belongs to one organization."""

from tenants.models.audit import AuditEvent
from tenants.models.files import StoredFile
from tenants.models.keys import ApiKey, KeyMode
from tenants.models.notices import Notice
from tenants.models.organizations import Membership, Organization, OrganizationKind, TenantQuerySet
from tenants.models.people import User, UserManager
from tenants.models.personal import AccountDeletion, PersonalExport
from tenants.models.projects import DataClass, Project

__all__ = [
    "AccountDeletion",
    "ApiKey",
    "AuditEvent",
    "DataClass",
    "KeyMode",
    "Membership",
    "Notice",
    "Organization",
    "OrganizationKind",
    "PersonalExport",
    "Project",
    "StoredFile",
    "TenantQuerySet",
    "User",
    "UserManager",
]
