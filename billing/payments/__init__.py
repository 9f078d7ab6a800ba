"""Payments: bank statements, cards, credit, refunds, disputes. One module each; the pure ones
(``bank_files``, ``matching``) know no database."""
