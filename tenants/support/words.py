"""What a request is about, how grave it is, where it stands, and which moves there are. Tables."""

from __future__ import annotations

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from tenants.support.hours import A_DAY


class RequestKind(models.TextChoices):
    QUESTION = "question", _("Question")
    FAULT = "fault", _("Fault")
    BILLING = "billing", _("Invoices and payment")
    PRIVACY = "privacy", _("Data protection")
    OTHER = "other", pgettext_lazy("request", "Something else")


class Grade(models.TextChoices):
    """How grave it is; the customer chooses, the operator may change it with a reason."""

    CRITICAL = "critical", pgettext_lazy("request", "Standstill")
    HIGH = "high", pgettext_lazy("request", "Serious")
    NORMAL = "normal", pgettext_lazy("request", "Ordinary")
    LOW = "low", pgettext_lazy("request", "No hurry")


# What each grade means, and within how much of business hours the first answer comes.
MEANS = {
    Grade.CRITICAL: _("Nobody of you can work with it, and there is no way around."),
    Grade.HIGH: _("Something important fails, or many are hindered."),
    Grade.NORMAL: _("Something is disturbed, and you can go on working."),
    Grade.LOW: _("A question or a wish."),
}
WITHIN = {
    Grade.CRITICAL: timedelta(hours=1),
    Grade.HIGH: timedelta(hours=4),
    Grade.NORMAL: A_DAY,
    Grade.LOW: 3 * A_DAY,
}


class RequestState(models.TextChoices):
    NEW = "new", pgettext_lazy("request", "New")
    WITH_OPERATOR = "with_operator", _("Waiting for the operator")
    WITH_CUSTOMER = "with_customer", _("Waiting for the customer")
    SOLVED = "solved", pgettext_lazy("request", "Solved")
    CLOSED = "closed", pgettext_lazy("request", "Closed")


_NEW = RequestState.NEW
_OPERATOR, _CUSTOMER = RequestState.WITH_OPERATOR, RequestState.WITH_CUSTOMER
_SOLVED, _CLOSED = RequestState.SOLVED, RequestState.CLOSED

# Every move there is. What is closed stays closed.
ARROWS: frozenset[tuple[str, str]] = frozenset(
    {
        (_NEW, _OPERATOR),
        (_NEW, _CUSTOMER),
        (_NEW, _SOLVED),
        (_NEW, _CLOSED),
        (_OPERATOR, _CUSTOMER),
        (_OPERATOR, _SOLVED),
        (_OPERATOR, _CLOSED),
        (_CUSTOMER, _OPERATOR),
        (_CUSTOMER, _SOLVED),
        (_CUSTOMER, _CLOSED),
        (_SOLVED, _OPERATOR),
        (_SOLVED, _CUSTOMER),
        (_SOLVED, _CLOSED),
    }
)
OPEN = (_NEW, _OPERATOR, _CUSTOMER)
UNANSWERED = (_NEW, _OPERATOR)  # where a first answer can be overdue
REOPENED_WITHIN = timedelta(days=14)


class Side(models.TextChoices):
    """Who writes or moves: never a name, which an account's deletion would have to find here."""

    CUSTOMER = "customer", _("Customer")
    OPERATOR = "operator", _("Operator")
    SYSTEM = "system", pgettext_lazy("request", "By itself")
