"""Ways in which money comes: a contract, bank transfer, cards. One module each."""
