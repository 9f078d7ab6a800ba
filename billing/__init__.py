"""Money: prices, budgets, invoices. Exact, append-only where it counts."""
