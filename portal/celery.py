"""Celery's entry point: one app, schedule in code, no results kept."""

import os

from celery import Celery

from portal.schedule import SCHEDULE

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("dure")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = SCHEDULE
app.autodiscover_tasks(
    [
        "tenants",
        "billing",
        "portal.usage",
        "portal.deployments",
        "portal.provisioning",
        "portal.routing",
        "portal.jobs",
    ]
)
