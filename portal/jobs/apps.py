from django.apps import AppConfig


class JobsConfig(AppConfig):
    name = "portal.jobs"
    label = "jobs"

    def ready(self) -> None:
        from tenants.traces import copies_a_name

        copies_a_name("jobs.JobFile.created_by", named_by="public_id")
        copies_a_name("jobs.Job.created_by", named_by="public_id")
