"""`regard convert`: an old folder of pickles, or a GGUF file, as a folder of safetensors."""

from pathlib import Path

from regard._printable import printable
from regard.errors import UsageError
from regard.models.converting import convert


def run(folder: Path, out: Path, family: str | None) -> int:
    """Write the new folder and say what is in it."""
    try:
        found = convert(folder, out, family)
    except (ValueError, FileNotFoundError) as error:
        raise UsageError(printable(str(error))) from None
    for what, name in found.guessed.items():
        if name != family:
            print(f"config.json does not say its {what}: by the names of the tensors it is {name}")
    print(f"wrote {found.folder}: {found.network}, {found.tensors} tensors, read again")
    if found.copied:
        print(f"copied {', '.join(found.copied)}")
    return 0
