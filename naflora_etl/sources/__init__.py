"""Sources: requests out, rows in; no socket here."""
