"""The faults that a user can mend: told in one sentence, never as a traceback."""


class Fault(Exception):
    """Something a user can mend; its text says where, what was found and what to do."""
