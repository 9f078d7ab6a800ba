"""Kinds of notices about money: budgets, approvals, invoices, payments, tax."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from tenants.notice_shapes import Group, Kind, Severity

MONEY: dict[str, Kind] = {
    "invoice.issued": Kind(
        _("A new invoice"),
        _("Invoice %(number)s over ₩%(total)s (VAT included) is issued. It is due on %(day)s."),
        group=Group.MONEY,
    ),
    "etax.blocked": Kind(
        _("An e-tax invoice needs a hand"),
        _("The e-tax invoice %(key)s of %(name)s is not issued: %(because)s"),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "etax.rejected": Kind(
        _("The tax service has rejected an e-tax invoice"),
        _(
            "The e-tax invoice %(key)s of %(name)s does not count as reported: %(because)s. "
            "Correct what is wrong and issue it again."
        ),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "invoice.draft": Kind(
        _("The draft invoice of %(month)s can be looked at"),
        _(
            "It comes to ₩%(total)s (VAT included). Until %(until)s you can comment on it or "
            "object to it; then it is issued."
        ),
        group=Group.MONEY,
    ),
    "draft.answered": Kind(
        _("The operator answered your objection"),
        _("Your objection to the draft invoice of %(month)s has an answer."),
        group=Group.MONEY,
    ),
    "draft.comment": Kind(
        _("A comment on a draft invoice"),
        _("%(organization_name)s comments on its draft invoice of %(month)s."),
        group=Group.MONEY,
    ),
    "draft.objection": Kind(
        _("An objection to a draft invoice"),
        _(
            "%(organization_name)s objects to its draft invoice of %(month)s. It is not issued "
            "until somebody answers."
        ),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "etax.certificate": Kind(
        _("The certificate for e-tax invoices ends soon or cannot sign"),
        _("It ends on %(day)s. %(because)s Renew it at the issuer."),
        Severity.URGENT,
        group=Group.MONEY,
    ),
    "approval.waiting": Kind(
        _("%(what)s waits for your approval"),
        _("%(by)s asks for it. Look at it, then approve or refuse before %(day)s."),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "approval.reminder": Kind(
        _("%(what)s still waits for your approval"),
        _("%(by)s asked for it. It expires on %(day)s if nobody decides."),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "approval.approved": Kind(
        _("%(what)s is approved"),
        _("All have approved, and it is carried out."),
        group=Group.MONEY,
    ),
    "approval.failed": Kind(
        _("%(what)s is approved, but could not be carried out"),
        _("%(because)s It can be tried again until %(day)s."),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "approval.changed": Kind(
        _("Price or terms of %(what)s have changed"),
        _("Look at the difference. Ask again on the new terms before %(day)s, or withdraw it."),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "approval.refused": Kind(
        _("%(what)s is refused"),
        _("The reason given: %(because)s"),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "approval.expired": Kind(
        _("%(what)s has expired"),
        _("Nobody decided in time. Ask again if it is still needed."),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "payment.received": Kind(
        _("A payment has arrived"),
        _("₩%(total)s have arrived and were put on open invoices. What is over is credit."),
        group=Group.MONEY,
    ),
    "prepaid.expires": Kind(
        _("Prepaid credit ends soon"),
        _(
            "₩%(left)s of prepaid credit can be used until %(day)s; what is left then is lost. Who "
            "may change budgets can end it before, and it is ordinary credit again."
        ),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "prepaid.expired": Kind(
        _("Prepaid credit has ended"),
        _("₩%(left)s of prepaid credit could be used until %(day)s and are lost."),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "payment.refunded": Kind(
        _("Credit was paid back"),
        _("₩%(total)s were paid back: %(because)s"),
        group=Group.MONEY,
    ),
    "payment.disputed": Kind(
        _("A payment is disputed"),
        _("The bank of %(name)s disputes a payment of ₩%(total)s (%(state)s)."),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "card.refused": Kind(
        _("Your card was refused"),
        _("₩%(total)s for %(number)s could not be charged. Pay otherwise."),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "card.confirm": Kind(
        _("Your card company asks for confirmation"),
        _("₩%(total)s for %(number)s wait for your confirmation within seven days."),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "credit_note.issued": Kind(
        _("A credit note"),
        _("Credit note %(number)s takes back ₩%(total)s of invoice %(invoice)s."),
        group=Group.MONEY,
    ),
    "invoice.due_soon": Kind(
        _("Invoice %(number)s is due on %(day)s"),
        _(
            "₩%(open)s of it are still to be paid. If it stays unpaid, new spending stops on "
            "%(restricted)s."
        ),
        group=Group.MONEY,
    ),
    "invoice.overdue": Kind(
        _("Invoice %(number)s is overdue"),
        _(
            "₩%(open)s were due on %(day)s. If it stays unpaid, new spending stops on "
            "%(restricted)s."
        ),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "organization.payment_hold": Kind(
        _("New spending has stopped: invoice %(number)s is long overdue"),
        _(
            "Keys are refused and nothing new can be ordered until all that is overdue is paid. "
            "Reading, paying and stopping go on."
        ),
        Severity.URGENT,
        security=True,
        group=Group.MONEY,
    ),
    "organization.payment_lifted": Kind(
        _("New spending is possible again"),
        _("Invoice %(number)s and all else that was overdue is paid. Keys work again."),
        group=Group.MONEY,
    ),
    "agreement.made": Kind(
        _("An agreement about prices"),
        _("The agreement “%(reference)s” with the operator holds from %(day)s on."),
        group=Group.MONEY,
    ),
    "agreement.ends": Kind(
        _("An agreement about prices ends"),
        _("The agreement “%(reference)s” with the operator ends before %(day)s."),
        group=Group.MONEY,
    ),
    "price.tokens": Kind(
        _("The price of %(name)s changes on %(day)s"),
        _(
            "A million tokens in / in from the cache / out: now %(before)s, from %(day)s on "
            "%(after)s, without VAT. What was used before keeps its price."
        ),
        group=Group.MONEY,
    ),
    "price.cards": Kind(
        _("The price of %(name)s changes on %(day)s"),
        _("A card-hour: now %(before)s, from %(day)s on %(after)s, without VAT."),
        group=Group.MONEY,
    ),
    "price.storage": Kind(
        _("The price of storage changes on %(day)s"),
        _("A GB-day (%(name)s): now %(before)s, from %(day)s on %(after)s, without VAT."),
        group=Group.MONEY,
    ),
    "price.terms": Kind(
        _("The price list changes on %(day)s"),
        _(
            "Tiers, a discount, a fee or a shortest time changes for everybody. The price list "
            "shows what holds now and what will."
        ),
        group=Group.MONEY,
    ),
    "budget.reached": Kind(
        _("A budget is used to %(percent)s"),
        _(
            "₩%(used)s of ₩%(limit)s of the budget of “%(name)s” are used in %(month)s. At the "
            "limit requests are refused. An owner or budget officer can raise it."
        ),
        Severity.WARNING,
        group=Group.MONEY,
    ),
    "budget.reached_soft": Kind(
        _("A budget is used to %(percent)s"),
        _(
            "₩%(used)s of ₩%(limit)s of the budget of “%(name)s” are used in %(month)s. It is "
            "soft: requests go on, also above it."
        ),
        Severity.WARNING,
        group=Group.MONEY,
    ),
}
