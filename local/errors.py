"""Errors that end in one clear line on the terminal, without a traceback."""


class StackError(Exception):
    """An error that the user can fix; the text says how."""


class PartFailedError(StackError):
    """A part of the stack failed to start, or ended while it was starting."""
