"""Whether the signed report of a drill is genuine; as ``verify_receipt``, and as offline."""

from __future__ import annotations

from portal.deployments.actions import drills
from portal.usage.management.commands import verify_receipt


class Command(verify_receipt.Command):
    help = "Verify the report of a drill, without a database and without the network."
    kind = drills.KIND
