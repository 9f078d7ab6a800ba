"""Files in a conversation: checked and kept by ``tenants.uploads``, read by both sides only."""

from __future__ import annotations

from datetime import datetime

from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext as _

from portal.lib import ids
from tenants import uploads
from tenants.actors import Actor
from tenants.models import SupportAttachment, SupportRequest
from tenants.support import logs
from tenants.support.moves import Mover

MOST = 20

type Upload = UploadedFile[bytes]


class TooManyFiles(Exception):
    def __str__(self) -> str:
        return _("This request has 20 files. Open a new one that names it.")


def keep(
    request: SupportRequest, upload: Upload, *, mover: Mover, by: Actor, now: datetime
) -> SupportAttachment:
    """A file of one side, in the customer's house. ``BadFile``, ``TooManyFiles``. The request is
    locked."""
    if SupportAttachment.objects.filter(request=request).count() >= MOST:
        raise TooManyFiles
    stored = uploads.store(
        upload, organization=request.organization, by=by, now=now, plain_text=True
    )
    return SupportAttachment.objects.create(
        public_id=ids.mint("att"),
        organization_id=request.organization_id,
        request=request,
        file=stored,
        side=mover.side,
        author=mover.ref,
        at=now,
    )


def note_download(attachment: SupportAttachment, *, by: Actor, now: datetime) -> None:
    """Each download is an event: in the customer's log, and in the operator's for its staff."""
    changes = {"file": attachment.file.public_id}
    logs.record("support.download", attachment.request, by=by, now=now, changes=changes)
