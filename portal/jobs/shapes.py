"""Files and batches as OpenAI's API shows them. Times are Unix seconds."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from portal.jobs.models import Job, JobFile, JobMove

_TIMES = {  # the state that a time is of
    "in_progress_at": "in_progress",
    "finalizing_at": "finalizing",
    "completed_at": "completed",
    "failed_at": "failed",
    "expired_at": "expired",
    "cancelling_at": "cancelling",
    "cancelled_at": "cancelled",
}


def file(row: JobFile) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "object": "file",
        "bytes": row.bytes,
        "created_at": _seconds(row.created_at),
        "expires_at": _seconds(row.expires_at),
        "filename": row.name,
        "purpose": row.purpose,
        "status": "processed",
        "status_details": None,
    }


def batch(job: Job, moves: list[JobMove]) -> dict[str, Any]:
    """``moves`` are all of the job's."""
    reached = {one.to_state: _seconds(one.at) for one in moves}
    window = round((job.expires_at - job.created_at).total_seconds() / 3600)
    return {
        "id": job.public_id,
        "object": "batch",
        "endpoint": job.url,
        "errors": {"object": "list", "data": job.errors} if job.errors else None,
        "input_file_id": job.input_file.public_id,
        "completion_window": f"{window}h",
        "status": job.state,
        "output_file_id": job.output_file.public_id if job.output_file else None,
        "error_file_id": job.error_file.public_id if job.error_file else None,
        "created_at": _seconds(job.created_at),
        "expires_at": _seconds(job.expires_at),
        **{name: reached.get(state) for name, state in _TIMES.items()},
        "request_counts": {"total": job.total, "completed": job.done, "failed": job.failed},
        "metadata": job.metadata or None,
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
