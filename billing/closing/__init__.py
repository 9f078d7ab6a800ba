"""The end of a month: counted, drafted, looked at by the customers, issued.

Everything is rows (``billing.models.month_end``). Each step is one short transaction that takes
what is due and not locked by somebody else, so two schedulers share the work, and whoever is
killed leaves nothing half done: the next step finds the same rows.
"""
