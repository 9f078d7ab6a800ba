"""Attempts to break in: those that no other test makes, the table of all, and the proof of it."""
