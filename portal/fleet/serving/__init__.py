"""What runs inside a Ray cluster: our Serve application around the vendors' servers.

No Django, and nothing of ours outside this package: a node needs Ray Serve, httpx2, msgspec and
this folder on its Python path. Only ``app`` knows Ray.
"""
