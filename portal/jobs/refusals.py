"""What is said no to, in the words of the API and of the pages."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from portal.jobs.reading import MOST_BYTES, Fault


class Refusal(Exception):
    """``code`` and ``status`` as OpenAI's API says them; the text is for a person."""

    status = 400
    code = "invalid_value"
    param: str | None = None
    faults: Sequence[Fault] = ()


class BadFile(Refusal):
    """``faults`` names the first of them by their lines."""

    code = "invalid_file"
    param = "file"

    def __init__(self, faults: Sequence[Fault], count: int) -> None:
        super().__init__()
        self.faults, self.count = faults, count

    def __str__(self) -> str:
        first = self.faults[0]
        if not first.line:
            return _("The file cannot be used: %(what)s") % {"what": first.message}
        words = {"count": self.count, "line": first.line, "what": first.message}
        return (
            _("%(count)d things are wrong in the file. Line %(line)d: %(what)s Nothing was kept.")
            % words
        )


class FileTooLarge(Refusal):
    status, code, param = 413, "file_too_large", "file"

    def __str__(self) -> str:
        return _("A file has at most %(most)d MB.") % {"most": MOST_BYTES // 1_000_000}


class NoRoom(Refusal):
    status, code, param = 403, "storage_quota_exceeded", "file"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __str__(self) -> str:
        return _("The organization may keep files of %(most)d MB. Delete some first.") % {
            "most": self.most
        }


class FileInUse(Refusal):
    status, code = 409, "file_in_use"

    def __str__(self) -> str:
        return _("A job that has not ended reads this file. Cancel the job, or wait.")


class TooManyJobs(Refusal):
    status, code = 429, "too_many_jobs"

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def __str__(self) -> str:
        return _("The organization may have %(most)d jobs that have not ended.") % {
            "most": self.most
        }


class NotAnInput(Refusal):
    code, param = "invalid_value", "input_file_id"

    def __str__(self) -> str:
        return _("Only files that were uploaded for jobs can be run.")


class WrongAddress(Refusal):
    code, param = "mismatched_url", "endpoint"

    def __str__(self) -> str:
        return _("The endpoint is not the address that the requests of the file name.")


class KeyCannot(Refusal):
    status, code = 403, "insufficient_scope"

    def __str__(self) -> str:
        return _("A job runs under a live API key that may call models.")


class ModelNotFound(Refusal):
    status, code, param = 404, "model_not_found", "model"

    def __init__(self, model: str) -> None:
        super().__init__()
        self.model = model

    def __str__(self) -> str:
        return _("The API key may not use the model %(model)s, or there is none of this name.") % {
            "model": self.model[:64]
        }


class OtherRequest(Refusal):
    status, code, param = 422, "idempotency_key_reused", "Idempotency-Key"

    def __str__(self) -> str:
        return _("This Idempotency-Key was used for another job. Send a new one.")


class HasEnded(Refusal):
    status, code = 409, "job_has_ended"

    def __str__(self) -> str:
        return _("The job has ended; there is nothing to cancel.")
