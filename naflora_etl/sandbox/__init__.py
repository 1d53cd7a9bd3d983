"""The sandbox: a small world on loopback."""
