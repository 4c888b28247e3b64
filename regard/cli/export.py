"""`regard export`: a trained network as a file that other programs run."""

from pathlib import Path

from regard._printable import printable
from regard.errors import UsageError
from regard.run.exporting import CLOSE
from regard.run.run import Run


def run(run: Path, form: str, out: Path | None, check: bool) -> int:
    """Write it and print the difference; 1 where that is more than rounding."""
    try:
        found = Run(run).export(form, out, check=check)
    except (ValueError, FileNotFoundError, ImportError) as error:
        raise UsageError(printable(str(error))) from None
    print(f"wrote {found.path}")
    if found.relative is None:
        print(f"not compared with the network: {found.unchecked}")
    elif form == "safetensors":
        print(f"read again: {found.compared} tensors, greatest difference {found.difference:.3g}")
    else:
        print(
            f"compared with the network on {found.compared} batches of several sizes and "
            f"lengths: greatest difference {found.difference:.3g}, {found.relative:.3g} of the "
            "greatest output"
        )
    if not found.is_close:
        print(
            f"the exported file does not answer as the network does: it differs by "
            f"{found.relative:.3g} of the greatest output, more than {CLOSE:g}; do not use it"
        )
        return 1
    return 0
