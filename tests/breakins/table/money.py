"""Money: billed twice, paid with nothing, taken back too often, signed by nobody."""

from __future__ import annotations

from tests.breakins.table.attempt import Cut, attempt

BOOKINGS = "billing/payments/bookings.py"
FINALISING = "billing/closing/finalising.py"
STRIPE = "billing/providers/stripe_cards.py"

ROWS = [
    attempt(
        "be given the number of another invoice",
        "billing.invoices:_next_number",
        "billing/test_invoices.py::test_numbers_have_no_gap_when_eight_are_billed_at_once",
        Cut(
            "billing/invoices.py",
            "InvoiceSeries.objects.select_for_update().get(",
            "InvoiceSeries.objects.get(",
        ),
    ),
    attempt(
        "be billed twice for the same use, at once",
        "billing.invoices:issue",
        "billing/test_invoices.py::test_bills_one_organization_once_when_asked_four_times_at_once",
        Cut(
            "billing/invoices.py",
            "Organization.objects.select_for_update(no_key=True).get(",
            "Organization.objects.get(",
        ),
        Cut(
            "billing/accruals.py",
            '_run("SELECT pg_advisory_xact_lock(%s, %s)", [_OF_ONE, organization.pk % 2**31])',
            "pass",
        ),
    ),
    attempt(
        "have a document post other amounts the second time",
        "billing.journal:post",
        "billing/test_journal.py::test_refuses_other_amounts_of_the_same_document",
        Cut(
            "billing/journal.py",
            "if found != [(row.position, row.debit, row.credit, row.amount_micro) for row in rows]:",
            "if False:",
        ),
    ),
    attempt(
        "change a posting by SQL",
        "tenants.migration_ops:AppendOnly",
        "billing/test_journal.py::test_the_database_refuses_to_change_a_posting",
        Cut("billing/migrations/0002_baseline_wall.py", '        AppendOnly("billing_posting"),\n'),
    ),
    attempt(
        "pay twice with one transfer",
        "billing.payments.bookings:receive",
        "billing/payments/test_bookings.py::test_the_same_money_is_booked_once",
        Cut(
            BOOKINGS,
            "Payment.objects.filter(source=receipt.source, reference=receipt.reference).first()",
            "None",
        ),
    ),
    attempt(
        "use the same credit eight times at once",
        "billing.payments.bookings:lock",
        "billing/payments/test_bookings.py::test_eight_at_once_never_pay_more_than_is_open",
        Cut(
            BOOKINGS,
            "Organization.objects.select_for_update(no_key=True).get(",
            "Organization.objects.get(",
        ),
    ),
    attempt(
        "say in the card processor's name that a charge was paid",
        "billing.providers.stripe_cards:StripeCards.read",
        "billing/payments/test_events.py::test_a_forged_message_leaves_nothing",
        Cut(
            STRIPE,
            "except (stripe.SignatureVerificationError, ValueError, IndexError):\n"
            "                continue",
            "except (stripe.SignatureVerificationError, ValueError, IndexError):\n"
            "                pass",
        ),
    ),
    attempt(
        "send the processor's message of last week once more",
        "billing.providers.stripe_cards:StripeCards.read",
        "billing/payments/test_events.py::test_an_old_signature_is_not_believed_and_a_new_one_is",
        Cut(STRIPE, "tolerance=300", "tolerance=None"),
    ),
    attempt(
        "pay a large charge with the answer about a small one",
        "billing.payments.charges:_settle",
        "billing/payments/test_charges.py::test_believes_no_answer_about_another_charge",
        Cut(
            "billing/payments/charges.py",
            'if wrong or row.reference not in {"", found.reference}:',
            "if False:",
        ),
    ),
    attempt(
        "have credit paid back that an invoice has used meanwhile",
        "billing.payments.refunds:carry_out",
        "billing/payments/test_refunds.py::test_what_was_used_meanwhile_is_not_paid_back",
        Cut(
            "billing/payments/refunds.py",
            "_require_credit(payment, won)\n        refund = ",
            "refund = ",
        ),
    ),
    attempt(
        "have a deposit undone that was paid back",
        "billing.payments.deposits:_reverse",
        "billing/payments/test_statements.py::test_what_was_paid_back_is_not_undone",
        Cut(
            "billing/payments/deposits.py",
            "if row.refunded or row.reversed:",
            "if False:",
        ),
    ),
    attempt(
        "have a line of the bank booked from two files",
        "billing.payments.statements:preview",
        "billing/payments/test_statements.py::"
        "test_a_line_is_booked_once_whatever_files_it_comes_with",
        Cut("billing/payments/statements.py", '"known" if one.content in known else ', ""),
    ),
    attempt(
        "take back more than a line of an invoice has",
        "billing.credit_notes:worked_out",
        "billing/test_credit_notes.py::test_never_takes_more_than_the_line_has",
        Cut(
            "billing/credit_notes.py",
            "if won and not 0 < won * _sign(one) <= abs(one.left_won):",
            "if False:",
        ),
        Cut("billing/credit_notes.py", "if sum(after) < 0:", "if False:"),
    ),
    attempt(
        "be billed by a draft while one's objection waits",
        "billing.closing.finalising:_due",
        "billing/test_closing_trouble.py::test_an_objection_holds_its_draft_and_no_other",
        Cut(FINALISING, "state=DraftState.DRAFTED, held=False)", "state=DraftState.DRAFTED)"),
    ),
    attempt(
        "be billed by a draft that an invoice has overtaken",
        "billing.closing.finalising:_up_to_date",
        "billing/test_closing.py::test_never_issues_a_draft_that_an_invoice_has_overtaken",
        Cut(
            FINALISING, "WHERE d.id = ANY(%s) AND EXISTS (", "WHERE d.id = ANY(%s) AND NOT EXISTS ("
        ),
    ),
    attempt(
        "commit more than is allotted",
        "billing.fiscal.book:_check_commitment",
        "billing/test_fiscal_use.py::test_an_order_above_the_allotment_is_refused_whole",
        Cut(
            "billing/fiscal/book.py",
            "if movement.won > left:\n            over = movement.won - left",
            "if False:\n            over = movement.won - left",
        ),
    ),
    attempt(
        "lower a limit below what is used",
        "portal.admission.sync:Admission.set_limit",
        "billing/test_budgets.py::test_refuses_a_limit_below_what_is_used",
        Cut(
            "portal/admission/functions.lua",
            "if after < used and after < left(before, ms, 0, 0, 0) then",
            "if false then",
        ),
    ),
    attempt(
        "write a limit under which no request was let in",
        "billing.told:as_told",
        "billing/test_budgets.py::test_of_two_who_change_it_at_once_one_is_told",
        Cut(
            "billing/told.py",
            "if locked.number != budget.number or locked.closed_at is not None:",
            "if False:",
        ),
    ),
    attempt(
        "have one e-tax document issued twice by a call that is cut off",
        "billing.etax.sweep:_issued",
        "billing/etax/test_sweep.py::test_asks_first_where_a_call_may_have_gone_through",
        Cut(
            "billing/etax/sweep.py",
            "found = issuer.state(row.key) if row.tries > 1 else None",
            "found = None",
        ),
    ),
]
