"""Signing in: by every way, and past none."""
