"""Mistake: what the command line raises when the call itself is wrong."""


class Mistake(Exception):
    """The user's call is wrong; the message says what is and how to do it right (exit code 2)."""
