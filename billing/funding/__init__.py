"""Funding sources: where the money for invoices comes from, in which order, and what each paid.

``billing.waterfall`` decides; here are the rows: the sources themselves, what invoices draw and
credit notes give back, credit that was paid for in advance, and the papers for a settlement.
"""
