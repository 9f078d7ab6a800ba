"""The reading room (Django's admin) with what each app lets it show: its ``admin.py``.

``portal.urls`` mounts it where ``DURE_ADMIN_PATH`` says, else nowhere.
"""

from importlib import import_module

from tenants.reading_room import site

APPS = (
    "tenants",
    "billing",
    "portal.catalog",
    "portal.fleet",
    "portal.usage",
    "portal.deployments",
)
for app in APPS:
    import_module(f"{app}.admin")

__all__ = ["site"]
