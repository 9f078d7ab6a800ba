"""Who: users, organizations, members, projects, API keys, and the wall between tenants."""
