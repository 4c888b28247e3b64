"""One matrix of captured attention as a figure for a paper: SVG, PDF or PNG, by matplotlib."""

import warnings
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from regard._io.extra import extra
from regard.view.chosen_map import ChosenMap
from regard.view.terminal import visible

FORMATS = ("svg", "pdf", "png")
FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
)
"""Fonts for tokens, the first that has a letter draws it; those that are not there are left out."""
MOST_NAMES = 64
Scale = Literal["linear", "sqrt", "log"]
Kind = Literal["matrix", "lines"]


def figure(chosen: ChosenMap, form: str, *, kind: Kind = "matrix", scale: Scale = "sqrt") -> bytes:
    """The bytes of a figure.

    Args:
        form: "svg", "pdf" or "png".
        kind: a "matrix" of cells, or "lines" between tokens.
        scale: from weight to shade.

    Raises `ImportError` where matplotlib is not installed, with the line to install it.
    """
    matplotlib = extra("matplotlib")
    extra("matplotlib.figure")
    known = set(extra("matplotlib.font_manager").get_font_names())
    settings = {
        "font.family": [name for name in FONTS if name in known] or ["sans-serif"],
        "svg.fonttype": "none",
        "svg.hashsalt": "regard",
        "pdf.fonttype": 42,
        "axes.unicode_minus": False,
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # A letter that no font here has is a box; an SVG keeps it, for the reader's fonts.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        drawn = (_lines if kind == "lines" else _matrix)(matplotlib, chosen, scale)
        buffer = BytesIO()
        metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {}}[form]
        drawn.savefig(buffer, format=form, dpi=200, bbox_inches="tight", metadata=metadata)
    return buffer.getvalue()


def format_of(path: Path) -> str:
    """The format that a name asks for.

    >>> format_of(Path("a.SVG"))
    'svg'

    Raises `ValueError` for another one.
    """
    form = path.suffix[1:].lower()
    if form not in FORMATS:
        raise ValueError(f"a figure is written as .svg, .pdf or .png, and {path.name!r} is none")
    return form


def _matrix(matplotlib: Any, chosen: ChosenMap, scale: Scale) -> Any:
    weights = chosen.weights.numpy()
    rows, keys = weights.shape
    cell = min(0.24, 12 / max(1, rows, keys))
    drawn = matplotlib.figure.Figure(figsize=(keys * cell + 2.2, rows * cell + 1.8))
    axes = drawn.subplots()
    signed = bool((weights < 0).any())
    norm = None if signed else _norm(matplotlib, weights, scale)
    most = float(np.abs(weights).max(initial=1e-12))
    limits = {"vmin": -most, "vmax": most} if signed else {}
    colors = "cividis" if signed else "Blues"
    image = axes.imshow(weights, cmap=colors, norm=norm, aspect="equal", **limits)
    _names(axes.xaxis, chosen.keys, rotation=90)
    _names(axes.yaxis, chosen.queries)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    drawn.colorbar(image, ax=axes, shrink=0.6, pad=0.02)
    return drawn


def _lines(matplotlib: Any, chosen: ChosenMap, scale: Scale) -> Any:
    rows, keys = chosen.weights.shape
    high = max(rows, keys)
    drawn = matplotlib.figure.Figure(figsize=(4.6, max(1.6, 0.22 * high)))
    axes = drawn.subplots()
    axes.set_xlim(-0.62, 1.62)
    axes.set_ylim(high - 0.5, -0.5)
    axes.axis("off")
    weights = np.abs(chosen.weights.numpy())
    most = float(weights.max(initial=1e-12))
    for row, key in zip(*np.nonzero(weights >= 0.02 * most), strict=True):
        share = float(weights[row, key]) / most
        strength = share if scale == "linear" else share**0.5
        across = np.linspace(0, 1, 24)
        down = row + (key - row) * (3 * across**2 - 2 * across**3)
        axes.plot(across, down, color="#144282", alpha=0.9 * strength, linewidth=2.2 * strength)
    for side, (tokens, align, at) in enumerate(
        ((chosen.queries, "right", -0.03), (chosen.keys, "left", 1.03))
    ):
        for number, token in enumerate(tokens):
            axes.text(at, number, _name(token), ha=align, va="center", size=8, parse_math=False)
        del side
    return drawn


def _norm(matplotlib: Any, weights: NDArray[np.float32], scale: Scale) -> Any:
    colors = extra("matplotlib.colors")
    most = float(weights.max(initial=1e-12))
    if scale == "log":
        return colors.LogNorm(vmin=most * 1e-4, vmax=most, clip=True)
    return colors.PowerNorm(0.5 if scale == "sqrt" else 1.0, vmin=0.0, vmax=most)


def _names(axis: Any, tokens: tuple[str, ...], rotation: int = 0) -> None:
    every = max(1, ceil(len(tokens) / MOST_NAMES))
    places = list(range(0, len(tokens), every))
    axis.set_ticks(places, [_name(tokens[n]) for n in places], rotation=rotation, size=8)
    for label in axis.get_ticklabels():
        label.set_parse_math(False)


def _name(token: str) -> str:
    shown = visible(token[:40])
    return shown if len(shown) <= 20 and len(token) <= 40 else shown[:19] + "…"
