"""Tokens of pictures: every number comes back to the place where it was taken from."""

from typing import Any

import numpy as np
import pytest
import torch

from regard.explain import grid_size, patch_grid, to_pixels, window_map


@pytest.mark.parametrize("special", [0, 1, 5])
@pytest.mark.parametrize(("rows", "columns"), [(3, 3), (2, 5), (1, 4)])
def test_a_token_is_the_patch_that_it_was_cut_from(special: int, rows: int, columns: int) -> None:
    picture = torch.arange(rows * 4 * columns * 4.0).reshape(rows * 4, columns * 4)
    cut = [
        picture[4 * r : 4 * r + 4, 4 * c : 4 * c + 4].mean()
        for r in range(rows)
        for c in range(columns)
    ]
    tokens = torch.stack([*torch.full((special,), -1.0), *cut]).expand(2, -1)
    size = grid_size((rows * 4 + 3, columns * 4), 4)
    assert size == (rows, columns)
    found = patch_grid(tokens, size)
    for r, c in np.ndindex(rows, columns):
        assert found.patches[1, r, c] == picture[4 * r : 4 * r + 4, 4 * c : 4 * c + 4].mean()
    assert torch.equal(found.special, torch.full((2, special), -1.0))
    if rows == columns:
        assert torch.equal(patch_grid(tokens, special=special).patches, found.patches)


@pytest.mark.usefixtures("as_users_have_it")
def test_what_makes_no_picture_is_refused() -> None:
    tokens = torch.ones(2, 198)
    with pytest.raises(ValueError, match="how many of 198 tokens are patches"):
        patch_grid(tokens)
    with pytest.raises(ValueError, match="198 tokens are no 14 × 14 patches behind 1 special"):
        patch_grid(tokens, special=1)
    with pytest.raises(ValueError, match="198 tokens are no 16 × 16 patches behind any special"):
        patch_grid(tokens, (16, 16))
    with pytest.raises(ValueError, match="198 tokens are no 14 × 13 patches behind 1 special"):
        patch_grid(tokens, (14, 13), special=1)
    with pytest.raises(ValueError, match="size as two whole numbers of at least 1, got .14, 0."):
        patch_grid(tokens, (14, 0))
    with pytest.raises(ValueError, match="a patch of 16 × 16 does not fit a picture of 8 × 32"):
        grid_size((8, 32), 16)
    with pytest.raises(TypeError, match="tensor"):
        patch_grid([1.0, 2.0], (1, 2))  # type: ignore[arg-type]


@pytest.mark.parametrize(("rows", "columns", "height", "width"), [(2, 3, 8, 9), (3, 2, 7, 5)])
def test_a_pixel_has_the_number_of_the_patch_it_lies_in(
    rows: int, columns: int, height: int, width: int
) -> None:
    patches = torch.rand(2, 1, rows, columns)
    found = to_pixels(patches, (height, width))
    assert found.shape == (2, 1, height, width)
    for y, x in np.ndindex(height, width):
        r, c = int((y + 0.5) * rows / height), int((x + 0.5) * columns / width)
        assert found[1, 0, y, x] == patches[1, 0, r, c]


@pytest.mark.usefixtures("as_users_have_it")
def test_between_the_middles_of_patches_numbers_change_evenly() -> None:
    patches = torch.rand(2, 3).double()
    found = to_pixels(patches, (8, 12), "bilinear")
    for y, x in np.ndindex(8, 12):
        r, c = (y + 0.5) / 4 - 0.5, (x + 0.5) / 4 - 0.5
        r, c = min(max(r, 0.0), 1.0), min(max(c, 0.0), 2.0)
        wanted = 0.0
        for i, j in np.ndindex(2, 3):
            wanted += max(0, 1 - abs(r - i)) * max(0, 1 - abs(c - j)) * patches[i, j].item()
        assert found[y, x].item() == pytest.approx(wanted, abs=1e-9)
    with pytest.raises(ValueError, match='"nearest" and "bilinear", got \'cubic\''):
        to_pixels(patches, (8, 12), "cubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"\[..., rows, columns\], got \[3\]"):
        to_pixels(torch.ones(3), (8, 12))


SWIN: list[Any] = [
    ((4, 4), (2, 2), (0, 0)),
    ((4, 6), (2, 3), (1, 1)),
    ((5, 7), (3, 3), (0, 0)),
    ((5, 7), (3, 2), (1, 1)),
]


@pytest.mark.parametrize(("size", "window", "shift"), SWIN)
def test_windows_come_back_to_the_map_that_they_were_cut_from(
    size: Any, window: Any, shift: Any
) -> None:
    """Cut as Swin does, one place after the other, with weights that say which pair they are of."""
    (rows, columns), (tall, wide) = size, window
    high, broad = -(-rows // tall) * tall, -(-columns // wide) * wide
    total, batch, heads = rows * columns, 2, 2

    def place(r: int, c: int) -> int:
        """What stands at (r, c) after padding and rolling; -1 for what was added."""
        r, c = (r + shift[0]) % high, (c + shift[1]) % broad
        return r * columns + c if r < rows and c < columns else -1

    windows = [
        [place(top + r, left + c) for r in range(tall) for c in range(wide)]
        for top in range(0, high, tall)
        for left in range(0, broad, wide)
    ]
    pair = torch.rand(batch, heads, total, total)
    given = torch.zeros(batch * len(windows), heads, tall * wide, tall * wide)
    wanted = torch.zeros(batch, heads, total, total)
    for b, (w, slots), h in (
        (b, each, h) for b in range(batch) for each in enumerate(windows) for h in range(heads)
    ):
        for (i, q), (j, k) in ((a, z) for a in enumerate(slots) for z in enumerate(slots)):
            given[b * len(windows) + w, h, i, j] = pair[b, h, q, k] if min(q, k) >= 0 else 7.0
            if min(q, k) >= 0:
                wanted[b, h, q, k] = pair[b, h, q, k]
    assert torch.equal(window_map(given, size, window, shift=shift), wanted)
    some = window_map(given, size, window, shift=shift, queries=[3, -1])
    assert torch.equal(some, wanted[:, :, [3, total - 1]])


def test_windows_that_make_no_map_are_refused() -> None:
    with pytest.raises(ValueError, match=r"has 4 windows of 4 places.*got \[6, 1, 4, 4\]"):
        window_map(torch.ones(6, 1, 4, 4), (4, 4), 2)
    with pytest.raises(IndexError, match="queries has 16, and there are 16"):
        window_map(torch.ones(4, 1, 4, 4), (4, 4), 2, queries=[16])
