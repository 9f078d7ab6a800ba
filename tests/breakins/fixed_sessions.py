"""Sessions that keep their key at sign-in, as a framework without a guard would: for ``guards``."""

from django.contrib.sessions.backends.db import SessionStore as Guarded


class SessionStore(Guarded):
    def cycle_key(self) -> None:
        """Nothing: whoever knew the key before the sign-in knows it afterwards."""
