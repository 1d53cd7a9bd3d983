"""What a user types, a file a subject; each command is options, one call, one sentence."""
