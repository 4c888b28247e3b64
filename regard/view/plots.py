"""Curves and confusions as plain data, which the page draws (`web/src/plots/`)."""

from collections.abc import Sequence
from typing import Any

from regard.view.attention_page import inset
from regard.view.counted import Confusion
from regard.view.curves import Curve, thinned
from regard.view.measures import LOGARITHMIC, UNITS, is_share, metric_label


def chart_of(
    metric: str, curves: Sequence[Curve], *, split: str = "", task: str | None = None
) -> dict[str, Any] | None:
    """What a chart of a metric is drawn from; None where nothing was measured.

    Args:
        curves: one for each split, or where `split` names the one of all, for each run.
        task: whose unit the loss has; None to name no unit.

    >>> chart_of("bleu", [Curve("valid", [(4.0, 12.5), (8.0, None)])])["curves"]
    [{'name': 'valid', 'style': 0, 'marked': False, 'points': [[4, 12.5], [8, None]]}]
    """
    drawn = [curve for curve in curves if any(y is not None for _, y in curve.points)]
    if not drawn:
        return None
    return {
        "metric": metric,
        "name": metric_label(metric),
        "unit": UNITS.get(task or "", "") if metric == "loss" else "",
        "split": split,
        "log": metric in LOGARITHMIC,
        "shares": is_share(metric),
        "curves": [_plain(curve) for curve in drawn],
    }


def charts(found: Sequence[dict[str, Any] | None]) -> str:
    """The element in which the charts are drawn; nothing where there is none."""
    drawn = [each for each in found if each is not None]
    return inset("charts", {"charts": drawn}) if drawn else ""


def confusion(found: Confusion) -> str:
    """The element in which it is drawn what was answered for each label; nothing of nothing."""
    cells = [
        [label, answer, count]
        for label, row in enumerate(found.counts)
        for answer, count in enumerate(row)
        if count
    ]
    data = {"step": found.step, "labels": found.labels, "cells": cells}
    return inset("confusion", data) if cells else ""


def _plain(curve: Curve) -> dict[str, Any]:
    points = [[_number(x), None if y is None else _number(y)] for x, y in thinned(curve.points)]
    return {
        "name": curve.name,
        "style": curve.style,
        "marked": curve.marked,
        "points": points,
    }


def _number(value: float) -> float:
    """As short as it may be written: a page tells no more than nine digits apart."""
    short = float(f"{value:.9g}") if abs(value) < 1e9 else value
    return int(short) if short.is_integer() and abs(short) < 1e15 else short
