"""A Kubernetes cluster per site, reached through its API server with a least-privilege token."""
