"""The registry of businesses: a contract, the National Tax Service's client, pure reading."""
