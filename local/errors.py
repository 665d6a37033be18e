"""Errors that end in one clear line on the terminal, without a traceback."""


class StackError(Exception):
    """Something the person at the keyboard can do something about; the text says what."""


class PartFailedError(StackError):
    """A part of the stack did not come up, or went away while it was coming up."""
