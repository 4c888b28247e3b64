"""`regard recipes`: list, print and copy the recipes."""

from pathlib import Path

from regard._printable import shown
from regard.errors import UsageError
from regard.run.keys import listed_settings
from regard.run.recipes import names, recipe, text_of


def run(action: str, name: str | None, to: Path | None) -> int:
    """List all recipes, print one or its settings, or copy one to a file that is not there yet."""
    _require_words(action, name, to)
    if action == "ls":
        width = max(map(len, names()))
        for each in names():
            first = text_of(each).partition("\n")[0].removeprefix("# ")
            print(f"{each:{width}}  {recipe(each)['task']['name']:14}  {first}")
        return 0
    if action == "keys":
        found = listed_settings(str(name))
        for key, value, what in found:
            print(f"{key} = {value}" + (f"    {what}" if what else ""))
        return 0
    text = text_of(str(name))
    if action == "cat":
        print(text, end="")
        return 0
    path = to or Path(f"{name}.toml")
    if path.is_dir():
        path = path / f"{name}.toml"
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"{path} exists and is kept; give another name") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from None
    print(f"{path}: change it and give it back with: regard train --config {path}")
    return 0


def _require_words(action: str, name: str | None, to: Path | None) -> None:
    """Raise `UsageError` for a word that is missing, and one that nothing would read."""
    if action != "ls" and name is None:
        raise UsageError(f"say which recipe: regard recipes {action} NAME; see: regard recipes ls")
    stray = name if action == "ls" else to if action in ("cat", "keys") else None
    if stray is not None:
        raise UsageError(f"recipes {action} takes no {shown(str(stray))}; leave it out")
