"""A picture whose patches are tokens, as a page carries it."""

import base64
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from regard._io.files import read_file
from regard.explain.patches import placed

MOST_BYTES = 8 * 2**20
_KINDS = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}


@dataclass(frozen=True)
class Patches:
    """A picture cut into a grid of patches, row by row, of which each is a token.

    Args:
        picture: the bytes of a PNG, JPEG, GIF or WebP file, or its path.
        grid: rows and columns of patches; found from the number of tokens if None.
        first: tokens before the first patch, such as a class token; likewise.
        axis: which list of tokens the patches are in: "tokens" or "queries".
    """

    picture: bytes | str | PathLike[str]
    grid: tuple[int, int] | None = None
    first: int | None = None
    axis: str = "tokens"

    def data(self, length: int) -> dict[str, Any]:
        """As a page reads it, for so many tokens.

        Raises `ValueError` for what is no picture, and for a grid of another number of patches.
        """
        content = self.picture if isinstance(self.picture, bytes) else _bytes_of(self.picture)
        kind = next((k for begin, k in _KINDS.items() if content.startswith(begin)), None)
        if kind is None:
            raise ValueError(
                "a page shows pictures in PNG, JPEG, GIF or WebP, and this is none of them: save "
                'it as one, for instance with PIL: picture.save("a.png")'
            )
        rows, columns, first = placed("Patches", "grid", length, self.grid, self.first)
        source = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
        return {"source": source, "rows": rows, "columns": columns, "first": first}


def _bytes_of(path: str | PathLike[str]) -> bytes:
    return read_file(Path(path), MOST_BYTES)
