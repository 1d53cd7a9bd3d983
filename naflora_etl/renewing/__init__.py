"""Bringing a built dataset up to date: what may be new is asked for, and what changed is told."""
