"""How sites are reached: one module per kind, none of which knows Django."""
