"""What the gateway may do at this moment: route table, grants, limits."""
