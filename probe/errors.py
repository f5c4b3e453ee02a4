"""The one error that a person at the terminal is meant to read."""


class UserError(Exception):
    """Something that the user can mend. Its text says what is wrong, where, and what to do; the command exits 4."""
