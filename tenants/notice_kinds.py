"""Every kind of notice. One table; the page of preferences is made from it."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tenants.notice_money import MONEY
from tenants.notice_shapes import Group, Kind, Severity, sentence

__all__ = ["KINDS", "Group", "Kind", "Severity", "sentence"]

KINDS: dict[str, Kind] = {
    "key.created": Kind(
        _("New API key"),
        _("%(by)s made the API key “%(name)s” in the project %(project_name)s."),
        security=True,
        group=Group.KEYS,
    ),
    "key.rotated": Kind(
        _("An API key was rotated"),
        _("%(by)s rotated the API key “%(name)s”. The old secret ends on %(day)s."),
        security=True,
        group=Group.KEYS,
    ),
    "key.revoked": Kind(
        _("An API key was revoked"),
        _("%(by)s revoked the API key “%(name)s”. It is refused from now on."),
        security=True,
        group=Group.KEYS,
    ),
    "key.expiring": Kind(
        _("An API key ends soon"),
        _("The API key “%(name)s” ends on %(day)s. Rotate it before then."),
        Severity.WARNING,
        group=Group.KEYS,
    ),
    "key.unused": Kind(
        _("An API key is not used"),
        _("The API key “%(name)s” was not used for 90 days. Revoke it if nobody needs it."),
        group=Group.KEYS,
    ),
    "capacity.found": Kind(
        _("There is room now"),
        _(
            "%(model)s with %(replicas)s replicas finds room for the project %(project_name)s. "
            "Nothing is set aside: the first who orders gets it."
        ),
        group=Group.ENDPOINTS,
    ),
    "quota.asked": Kind(
        _("A customer asks for a larger quota"),
        _("%(customer)s asks for %(most)s: %(what)s. Grant or refuse it with a reason."),
        group=Group.ENDPOINTS,
        translated=frozenset({"what"}),
    ),
    "quota.granted": Kind(
        _("A larger quota was granted"),
        _("%(what)s: %(most)s from now on. %(because)s"),
        group=Group.ENDPOINTS,
        translated=frozenset({"what"}),
    ),
    "quota.refused": Kind(
        _("A larger quota was refused"),
        _("%(what)s: not more than before. %(because)s"),
        group=Group.ENDPOINTS,
        translated=frozenset({"what"}),
    ),
    "reservation.taken": Kind(
        _("Reserved cards of “%(name)s” were taken"),
        _(
            "Another organization took %(cards)s of the cards that you offered of the reservation "
            "“%(name)s”. You are charged for so much less."
        ),
        group=Group.ENDPOINTS,
    ),
    "endpoint.failed": Kind(
        _("A replica of “%(name)s” failed"),
        _(
            "A replica of the endpoint “%(name)s” at the site %(site)s does not run. It is asked "
            "for again by itself; meanwhile its other replicas answer."
        ),
        Severity.WARNING,
        group=Group.ENDPOINTS,
    ),
    "endpoint.moved": Kind(
        _("A replica of “%(name)s” moves"),
        _(
            "A replica of the endpoint “%(name)s” moves from the site %(old)s to %(new)s: "
            "%(because)s The old one answers until the new one does."
        ),
        group=Group.ENDPOINTS,
    ),
    "endpoint.no_money": Kind(
        _("“%(name)s” did not open"),
        _(
            "The opening hours of the endpoint “%(name)s” begin, but the budget has no room for "
            "it, or nothing may be ordered now. It is tried again all the time; it opens as soon "
            "as a limit is raised."
        ),
        Severity.WARNING,
        group=Group.ENDPOINTS,
    ),
    "endpoint.no_room": Kind(
        _("“%(name)s” did not open"),
        _(
            "The opening hours of the endpoint “%(name)s” begin, but no site that it may use has "
            "room for all of its replicas. It is tried again all the time."
        ),
        Severity.WARNING,
        group=Group.ENDPOINTS,
    ),
    "endpoint.replaced": Kind(
        _("A replica of “%(name)s” is started elsewhere"),
        _(
            "The site %(old)s does not answer. A replica of the endpoint “%(name)s” is started at "
            "%(new)s in its stead; nothing is deleted at the old site."
        ),
        Severity.WARNING,
        group=Group.ENDPOINTS,
    ),
    "own_model.admitted": Kind(
        _("“%(name)s” can be ordered"),
        _(
            "The check of your own model “%(name)s” ended: it is admitted. Order an endpoint that "
            "runs it."
        ),
        group=Group.ENDPOINTS,
    ),
    "own_model.refused": Kind(
        _("“%(name)s” was refused"),
        _(
            "The check of your own model “%(name)s” ended: it is refused. %(why)s What to do next: "
            "%(next_step)s"
        ),
        Severity.WARNING,
        group=Group.ENDPOINTS,
        translated=frozenset({"why", "next_step"}),
    ),
    "audit.not_whole": Kind(
        _("An audit log is not whole"),
        _("The audit log of %(name)s has %(count)s faults, the first: %(first)s. Keep all data."),
        Severity.URGENT,
        security=True,
    ),
    "account.new_device": Kind(
        _("Sign-in from a new browser"),
        _("Somebody signed in to your account from a browser not seen before, from %(address)s."),
        Severity.WARNING,
        security=True,
    ),
    "account.password": Kind(
        _("Password changed"), _("The password of your account was changed."), security=True
    ),
    "account.email": Kind(
        _("E-mail address changed"), _("The address of your account was changed."), security=True
    ),
    "account.factor_added": Kind(
        _("Second factor added"), _("A second factor was added to your account."), security=True
    ),
    "account.factor_removed": Kind(
        _("Second factor removed"),
        _("A second factor was removed from your account."),
        Severity.WARNING,
        security=True,
    ),
    "account.recovery_codes": Kind(
        _("New recovery codes"),
        _("New recovery codes were made for your account; the former ones ended."),
        security=True,
    ),
    "account.linked": Kind(
        _("Sign-in linked"), _("Another way to sign in was linked to your account."), security=True
    ),
    "account.unlinked": Kind(
        _("Sign-in unlinked"), _("A way to sign in was unlinked from your account."), security=True
    ),
    "account.sessions_ended": Kind(
        _("Sessions ended"), _("Sessions of your account were ended."), security=True
    ),
    "policies.changed": Kind(
        _("Rules of sign-in changed"),
        _("%(by)s changed the rules of sign-in of your organization."),
        security=True,
    ),
    "organization.held": Kind(
        _("Your organization is suspended"),
        _(
            "The operator has suspended your organization: %(because)s Its keys are refused and "
            "nothing new can be ordered. Reading, paying and stopping go on."
        ),
        Severity.URGENT,
        security=True,
    ),
    "organization.lifted": Kind(
        _("Your organization is no longer suspended"),
        _("The operator has lifted the suspension: %(because)s Its keys work again."),
        security=True,
    ),
    "staff.view": Kind(
        _("The operator looks at your organization"),
        _(
            "%(by)s of the operator may read your organization's pages until %(until)s and cannot "
            "change anything. Reason: %(because)s"
        ),
        Severity.WARNING,
        security=True,
    ),
    "proposal.waiting": Kind(
        _("A proposal waits for a second person"),
        _("%(by)s proposes: %(because)s Approve or reject it within seven days."),
        Severity.WARNING,
    ),
    "member.joined": Kind(
        _("A new member"),
        _("%(name)s accepted the invitation and has the role %(role)s."),
        translated=frozenset({"role"}),
    ),
    "member.changed": Kind(
        _("Your role was changed"),
        _("%(by)s gave you the role %(role)s in %(organization_name)s, or other projects."),
        security=True,
        translated=frozenset({"role"}),
    ),
    "member.removed": Kind(
        _("A member was removed"),
        _("%(by)s removed %(name)s from %(organization_name)s."),
        security=True,
    ),
    "member.left": Kind(_("A member left"), _("%(name)s left %(organization_name)s.")),
    "owner.handed_over": Kind(
        _("The organization has another owner"),
        _("%(by)s handed the ownership of %(organization_name)s to %(name)s."),
        Severity.WARNING,
        security=True,
    ),
    "deputy.named": Kind(
        _("A deputy was named"),
        _("%(deputy)s stands in for %(absent)s from %(starts)s until before %(ends)s."),
        security=True,
    ),
    "deputy.ended": Kind(
        _("A deputy was dismissed"), _("%(deputy)s no longer stands in for %(absent)s.")
    ),
    "review.opened": Kind(
        _("The access review of %(quarter)s is open"),
        _("Look at who has what, and sign before %(due)s."),
    ),
    "review.overdue": Kind(
        _("The access review of %(quarter)s is overdue"),
        _("It was due on %(due)s. Decide the open lines and sign."),
        Severity.WARNING,
    ),
    "registration.active": Kind(
        _("Your organization is confirmed"),
        _("“%(name)s” is confirmed. Live keys and orders are open."),
    ),
    "registration.unverifiable": Kind(
        _("Your organization could not be confirmed"),
        _(
            "The registry of businesses does not know the number of “%(name)s”. Hand in the "
            "registration certificate. Test keys work meanwhile."
        ),
        Severity.WARNING,
    ),
    "registration.suspended": Kind(
        _("Your business is registered as suspended"),
        _(
            "The registry of businesses says that “%(name)s” is suspended. Nothing new can be "
            "ordered; reading, paying and stopping go on. If this is wrong, ask your tax office."
        ),
        Severity.URGENT,
    ),
    "registration.closed": Kind(
        _("Your business is registered as closed"),
        _(
            "The registry of businesses says that “%(name)s” is closed. Nothing new can be "
            "ordered; reading, paying and stopping go on. If this is wrong, ask your tax office."
        ),
        Severity.URGENT,
    ),
    "registration.asked": Kind(
        _("The operator asks for a document"),
        _("About the registration of “%(name)s”: %(message)s"),
        Severity.WARNING,
    ),
    "evidence.waiting": Kind(
        _("A customer handed in a document"),
        _("“%(name)s” waits to be confirmed. Read the document, then confirm or ask back."),
    ),
    "support.answered": Kind(
        _("The operator answered your request"),
        _("“%(subject)s” has an answer. The operator goes on working on it."),
        group=Group.SUPPORT,
    ),
    "support.asked": Kind(
        _("The operator asks you back"),
        _("“%(subject)s” waits for your answer."),
        Severity.WARNING,
        group=Group.SUPPORT,
    ),
    "support.solved": Kind(
        _("Your request is solved"),
        _("The operator considers “%(subject)s” solved. An answer until %(until)s reopens it."),
        group=Group.SUPPORT,
    ),
    "support.new": Kind(
        _("A new support request"),
        _("%(organization_name)s asks: “%(subject)s”. The first answer is due at %(due)s."),
        group=Group.SUPPORT,
    ),
    "support.replied": Kind(
        _("A customer answered"),
        _("%(organization_name)s answered in “%(subject)s”."),
        group=Group.SUPPORT,
    ),
    "support.overdue": Kind(
        _("A support request is overdue"),
        _("The first answer to “%(subject)s” of %(organization_name)s was due at %(due)s."),
        Severity.WARNING,
        group=Group.SUPPORT,
    ),
    "incident.ended": Kind(
        _("An incident is over"),
        _("The incident that your request “%(subject)s” is about is over."),
        group=Group.SUPPORT,
    ),
    "account.deletion_asked": Kind(
        _("Your account ends soon"),
        _("Your account ends on %(day)s. Until then you can undo it."),
        Severity.WARNING,
        security=True,
    ),
    "account.deletion_held": Kind(
        _("Your account could not end yet"),
        _("You are the only owner of %(name)s. Make somebody else an owner there, or close it."),
        Severity.WARNING,
        security=True,
    ),
    "account.export_ready": Kind(
        _("The copy of your data is ready"),
        _("You can fetch the copy of your data until %(day)s."),
        security=True,
    ),
    "member.leaving": Kind(
        _("A member leaves"),
        _("%(name)s leaves on %(day)s. API keys that end then: %(keys)s. Hand over what stays."),
        Severity.WARNING,
    ),
    "organization.closing": Kind(
        _("The organization closes"),
        _("%(by)s closes the organization %(name)s on %(day)s. An owner can undo it until then."),
        Severity.URGENT,
        security=True,
    ),
    "organization.closing_undone": Kind(
        _("The organization stays"),
        _("%(by)s took back that the organization %(name)s closes."),
        security=True,
    ),
    "organization.closed": Kind(
        _("The organization is closed"),
        _("The organization %(name)s is closed. Its members can read until %(day)s."),
        Severity.WARNING,
        security=True,
    ),
} | MONEY
