"""The command line: words become calls of the Python API. Nothing heavy is imported here."""

import os
import sys
from collections.abc import Sequence

from regard._io.faults import sentence
from regard.cli.parser import command_of
from regard.errors import RegardError, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `regard` with these arguments; returns the exit code.

    0: done; 1: it could not be done; 2: the call was wrong; 130: interrupted by Ctrl-C.
    """
    # A character that the terminal's encoding lacks is shown as `?` rather than ending the program.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    try:
        command = command_of(sys.argv[1:] if arguments is None else arguments)
        code = command()
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"regard: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nregard: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of our output has gone (`| head`); that is its right. Python would complain
        # once more when it flushes at exit, so the output goes nowhere from here on.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, FloatingPointError, RegardError) as error:
        print(f"regard: {sentence(error)}", file=sys.stderr)
        return 1
