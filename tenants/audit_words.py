"""What the verbs of the audit log mean, in a reader's words: one table.

The log itself, its exports and its API keep the verbs. A verb that a later version of the product
has written, or that has no words yet, is shown as it is.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

WORDS: dict[str, Promise | str] = {
    "account.account_connected": _("Linked another way to sign in"),
    "account.account_disconnected": _("Unlinked a way to sign in"),
    "account.deletion_ask": _("Asked to end their account"),
    "account.deletion_undo": _("Took back the end of their account"),
    "account.email_changed": _("Changed their e-mail address"),
    "account.export_ask": _("Asked for a copy of their data"),
    "account.export_fetch": _("Fetched the copy of their data"),
    "account.new_device": _("Signed in from a new browser"),
    "account.password_changed": _("Changed their password"),
    "account.password_reset": _("Reset their password"),
    "account.password_set": _("Set a password"),
    "account.recovery_codes_generated": _("Made new recovery codes"),
    "account.sessions_ended": _("Ended sessions of their account"),
    "account.totp_activated": _("Added an authenticator app"),
    "account.totp_deactivated": _("Removed an authenticator app"),
    "account.webauthn_added": _("Added a passkey"),
    "account.webauthn_removed": _("Removed a passkey"),
    "alias.change": _("Changed what a project's name for a model means"),
    "alias.create": _("Gave a model a name of the project's own"),
    "alias.delete": _("Deleted a project's name for a model"),
    "audit.export": _("Exported the audit log"),
    "audit.read": _("Looked at the audit log"),
    "audit.retention": _("Changed for how long the audit log is kept"),
    "budget.change": _("Changed a budget"),
    "customer.read": _("Looked at customers"),
    "deputy.name": _("Named a deputy"),
    "deputy.revoke": _("Dismissed a deputy"),
    "domain.claim": _("Claimed a mail domain"),
    "domain.drop": _("Dropped a mail domain"),
    "domain.prove": _("Proved a mail domain"),
    "endpoint.funding_hold": _("Held an endpoint for lack of money"),
    "endpoint.funding_resume": _("Let an endpoint run again"),
    "endpoint.stop": _("Stopped an endpoint"),
    "evidence.download": _("Opened a registration document"),
    "evidence.hand_in": _("Handed in a registration document"),
    "incident.begin": _("Announced an incident"),
    "incident.end": _("Ended an incident"),
    "incident.update": _("Told more of an incident"),
    "invitation.create": _("Invited somebody"),
    "invitation.resend": _("Sent an invitation again"),
    "invitation.revoke": _("Revoked an invitation"),
    "invoice.issue": _("Issued an invoice"),
    "key.change": _("Changed an API key"),
    "key.create": _("Made an API key"),
    "key.hand_over": _("Handed an API key to another member"),
    "key.revoke": _("Revoked an API key"),
    "key.rotate": _("Rotated an API key"),
    "member.add": _("Added a member"),
    "member.change_role": _("Changed a member's role or projects"),
    "member.join": _("Joined by an invitation"),
    "member.leave": _("Left the organization"),
    "member.read": _("Looked at members"),
    "member.remove": _("Removed a member"),
    "operator.agreement": _("Made an agreement about prices"),
    "operator.agreement_end": _("Let an agreement about prices end earlier"),
    "operator.approve": _("Operator: approved a proposal"),
    "operator.lift": _("Operator: lifted a suspension"),
    "operator.note": _("Operator: wrote a note"),
    "operator.propose": _("Operator: proposed a deed that takes two"),
    "operator.quota": _("Operator: changed a quota"),
    "operator.reject": _("Operator: rejected a proposal"),
    "operator.support_answer": _("Operator: answered a support request"),
    "operator.support_attach": _("Operator: attached a file to a support request"),
    "operator.support_grade": _("Operator: changed the severity of a support request"),
    "operator.support_link": _("Operator: linked a support request to an incident"),
    "operator.support_remark": _("Operator: wrote an internal remark"),
    "operator.support_take": _("Operator: took on a support request"),
    "operator.suspend": _("Operator: suspended the organization"),
    "operator.view_as": _("Operator: began to look at the organization"),
    "operator.view_end": _("Operator: stopped looking at the organization"),
    "operator.view_page": _("Operator: looked at a page"),
    "order.place": _("Ordered an endpoint"),
    "organization.change": _("Changed the organization's settings"),
    "organization.closed": _("Closed the organization for good"),
    "organization.create": _("Founded the organization"),
    "ownership.hand_over": _("Handed over the ownership"),
    "policies.change": _("Changed the rules of sign-in"),
    "project.archive": _("Archived a project"),
    "project.change": _("Changed a project"),
    "project.create": _("Created a project"),
    "project.restore": _("Restored a project"),
    "records.read": _("Read records in the reading room"),
    "registration.approve": _("Confirmed the registration by its documents"),
    "registration.ask": _("Had the registry asked again"),
    "registration.ask_back": _("Asked for another registration document"),
    "registration.correct": _("Corrected name or numbers"),
    "registration.move": _("The registry changed the registration"),
    "review.decide": _("Decided a line of an access review"),
    "review.export": _("Exported an access review"),
    "review.open": _("Opened an access review"),
    "review.sign": _("Signed an access review"),
    "single_sign_on.change": _("Changed the single sign-on"),
    "single_sign_on.forget": _("Removed the single sign-on"),
    "support.answer": _("Answered in a support request"),
    "support.attach": _("Attached a file to a support request"),
    "support.close": _("Closed a support request"),
    "support.consent": _("Let the operator look at the pages for a support request"),
    "support.download": _("Opened a file of a support request"),
    "support.export": _("Exported support requests"),
    "support.open": _("Asked the operator for support"),
    "support.withdraw": _("Took back the leave to look at the pages"),
}


def words_of(verb: str) -> str:
    """The verb in the reader's language."""
    return str(WORDS.get(verb, verb))


def choices(also: str = "") -> list[tuple[str, str]]:
    """Verbs for a filter, by their words; ``also`` is one that an address names besides, such as
    the beginning of several."""
    known = sorted(((verb, str(words)) for verb, words in WORDS.items()), key=lambda one: one[1])
    return known if also in WORDS or not also else [(also, also), *known]
