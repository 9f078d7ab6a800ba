"""Backups of PostgreSQL that are proven by restoring them. ``python -m deploy.backup`` says how."""
