"""Users stand outside the wall; everything else belongs to one organization."""

from tenants.models.audit import AuditEvent
from tenants.models.files import StoredFile
from tenants.models.keys import ApiKey, KeyMode
from tenants.models.notices import Notice
from tenants.models.organizations import Membership, Organization, OrganizationKind, TenantQuerySet
from tenants.models.people import User, UserManager
from tenants.models.projects import DataClass, Project
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

__all__ = [
    "ApiKey",
    "AuditEvent",
    "Consent",
    "DataClass",
    "Evidence",
    "EvidenceKind",
    "EvidenceRequest",
    "EvidenceState",
    "KeyMode",
    "Membership",
    "Notice",
    "Organization",
    "OrganizationKind",
    "Project",
    "Registration",
    "RegistrationMove",
    "Signup",
    "StoredFile",
    "TenantQuerySet",
    "Terms",
    "User",
    "UserManager",
]
