"""Names: strings in, verdicts out."""
