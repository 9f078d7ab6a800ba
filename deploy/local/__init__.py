"""The embedded stack: real servers out of wheels, on 127.0.0.1, run by supervisor."""
