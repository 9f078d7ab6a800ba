"""Holds, settlements and limits in Valkey (contract 3). No Django. See docs/admission.md."""
