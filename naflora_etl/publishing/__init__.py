"""Publishing: tables in, files out."""
