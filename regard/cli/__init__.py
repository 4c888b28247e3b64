"""The command line: words become calls of the Python API. Nothing heavy is imported here."""

import os
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

from regard._io.faults import sentence
from regard._printable import message, shown
from regard.cli.parser import command_of
from regard.errors import RegardError, UsageError


def program() -> NoReturn:
    """Run `regard` with the arguments of this process, and end it with the exit code.

    An interruption does not wait for a thread that still computes or writes. Python would end such
    a thread where it comes back from C++ or Rust, which aborts the whole process, so the process
    ends without it.
    """
    try:
        code = main()
    except SystemExit as ended:
        code = int(ended.code or 0)
    if any(thread.name.startswith("regard.") for thread in threading.enumerate()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `regard` with these arguments; returns the exit code.

    0: done; 1: it could not be done; 2: the call was wrong; 130: interrupted by Ctrl-C.
    """
    # A character that the terminal's encoding lacks is shown as `?` rather than ending the program.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        given = sys.argv[1:] if arguments is None else arguments
        _require_text(given)
        command = command_of(given)
        code = command()
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _told(str(error), 2)
    except KeyboardInterrupt:
        return _told("interrupted", 130)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); that is its right. Python would complain
        # once more when it flushes at exit, so the output goes nowhere from here on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, FloatingPointError, MemoryError, RegardError) as error:
        return _told(sentence(error) or "there is not enough memory", 1)


def _told(reason: str, code: int) -> int:
    """Print why it ends, in whatever words and of whatever length; returns the exit code.

    Whatever ends a command is said here, so that nothing of a user's file or argument reaches the
    terminal but what can be seen.
    """
    print(message(f"regard: {reason}"), file=sys.stderr)
    return code


def _require_text(arguments: Sequence[str]) -> None:
    """Raise `UsageError` for an argument that no file, text or setting can be."""
    for number, argument in enumerate(arguments, 1):
        if "\0" in argument:
            raise UsageError(f"argument {number}, {shown(argument)}, holds a NUL character")
        try:
            # A byte that is not UTF-8 is a part of a file's name; half of a character is nothing.
            argument.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            half = argument[error.start]
            raise UsageError(f"argument {number} holds {half!r}, half of a character") from None
