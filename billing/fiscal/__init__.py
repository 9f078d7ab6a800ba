"""Fiscal-year budgets of public bodies, in the words that their officers use.

``calendar`` and ``book`` are pure: which day belongs to which year, and what movements add up to.
All amounts are whole won with VAT, because that is what an agency pays.
"""
