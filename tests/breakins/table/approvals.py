"""Money that was not signed for: one's own request, another price, a link."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt

SEATS = "billing/approvals/seats.py"

ROWS = [
    attempt(
        "sign one's own request while another is there",
        "billing.approvals.seats:pool",
        "billing/test_approvals.py::test_who_asked_does_not_sign_while_another_is_there",
        Cut(
            SEATS,
            "others = [one for one in signing if one.user != question.requester]",
            "others = signing",
        ),
        Cut(SEATS, "and not asked and person.user not in voted", "and person.user not in voted"),
    ),
    attempt(
        "have a request carried out at another price than was signed",
        "billing.approvals.asking:has_changed",
        "billing/test_approvals_after.py::test_approves_nothing_on_terms_that_have_changed",
        Cut(
            "billing/approvals/deciding.py",
            "if word.agrees and asking.has_changed(found, deed, now) is not None:",
            "if False:",
        ),
        Cut(
            "billing/approvals/carrying.py",
            "if asking.has_changed(found, deed, now) is not None:",
            "if False:",
        ),
    ),
    attempt(
        "have somebody approve by following a link",
        "portal.web.approvals:decide",
        "web/test_approvals.py::test_a_link_decides_nothing",
        Cut(
            "portal/web/approvals.py",
            '@require_POST\n@doors.page_for("approvals.decide")',
            '@doors.page_for("approvals.decide")',
        ),
    ),
]
