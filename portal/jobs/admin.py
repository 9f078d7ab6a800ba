"""Jobs and their files, to be read. What stands in the files is not shown."""

from portal.jobs.models import Job, JobFile, JobLine, JobMove
from tenants.reading_room import shows

shows(
    JobFile,
    "public_id organization project purpose name bytes lines created_at created_by expires_at "
    "deleted_at sha256",
    find="public_id",
)
shows(
    Job,
    "public_id organization project key url state because total done failed estimate_micro "
    "spent_micro created_at created_by expires_at due_at lease_until input_file output_file "
    "error_file ends_as errors waits_because",
    find="public_id",
)
shows(JobMove, "organization job from_state to_state because at")
shows(
    JobLine,
    "organization job number state status run free tries due_at doubted_at worst_micro cost_micro "
    "request_ids",
)
