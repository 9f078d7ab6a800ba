"""The product: the doors, and the apps that make endpoints exist and answer."""
