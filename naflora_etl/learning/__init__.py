"""Learning: starts from a release folder alone."""
