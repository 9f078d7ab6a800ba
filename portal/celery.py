"""Celery's entry point: one app, schedule in code, no results kept."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("dure")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(
    ["portal.provisioning", "portal.deployments", "portal.routing", "billing", "tenants"]
)
