"""Selecting: counts in, choices out."""
