"""Approvals (전결): who signs what, in which order, for whom, and what happens once all have."""
