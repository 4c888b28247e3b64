"""`regard serve`: a network behind a page of this machine, to be asked and changed."""

import logging
import webbrowser

from regard._io.extra import extra
from regard._io.faults import sentence
from regard._printable import printable
from regard.errors import RegardError, UsageError


def run(path: str, host: str, port: int, opened: bool) -> int:
    """Read the network, say where it is served, and serve it until Ctrl-C."""
    try:
        for package in ("starlette", "uvicorn"):
            extra(package)
        from regard.serving.answering import Answering
        from regard.serving.server import listening

        answering = Answering(path)
    except (ValueError, FileNotFoundError, ImportError, RegardError) as error:
        raise UsageError(sentence(error)) from None
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    served = listening(answering, host, port)
    print(printable(f"{answering.name} is at {served.address}"))
    print("Ctrl-C ends it.", flush=True)
    if opened and not webbrowser.open(served.address):
        print("no browser could be opened; open the address yourself", flush=True)
    served.run()
    return 0
