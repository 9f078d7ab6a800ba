"""A Kubernetes API server as the driver meets it: strict, with rights, quotas and faults.

Objects are checked against the published schemas of a current release; requests against the roles
that ``deploy/kubernetes`` ships. A small controller lets pods live: each request is one step.
"""

from tests.fakes.kubernetes.server import Cluster

__all__ = ["Cluster"]
