"""Prefect's side of the project: the only home of prefect. Everything it runs also runs without it."""
