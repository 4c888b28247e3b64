"""Drawn shapes and digits: the same for each seed, whole, and where they are said to be."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest

from regard._io.extra import extra
from regard.data.synthetic.digits import DIGITS
from regard.data.synthetic.shapes import (
    CENTRED_DIGITS,
    CLUTTERED_DIGITS,
    SHAPES,
    Drawing,
    drawn_form,
    on_canvas,
    shape_rows,
)

DRAWINGS = {"shapes": SHAPES, "digits": CENTRED_DIGITS, "cluttered": CLUTTERED_DIGITS}


def pixels(drawing: Drawing, count: int = 4, seed: int = 0) -> list[np.ndarray]:
    rows = shape_rows("train", count, seed, drawing)
    return [np.array(extra("PIL.Image").open(BytesIO(cell.content))) for cell, _ in rows]


@pytest.mark.parametrize("drawing", DRAWINGS.values(), ids=DRAWINGS)
def test_the_pictures_of_a_seed_are_the_same_and_as_large_as_said(drawing: Drawing) -> None:
    found, again, others = pixels(drawing), pixels(drawing), pixels(drawing, seed=1)
    side = drawing.canvas or drawing.size
    assert all(each.shape == (side, side, 3) for each in found)
    assert all(map(np.array_equal, found, again))
    assert not any(map(np.array_equal, found, others))
    labels = {label for _, label in shape_rows("valid", 200, 0, drawing)}
    assert labels == set(drawing.forms)


def test_the_forms_of_digits_differ_by_more_than_their_place() -> None:
    still = replace(CENTRED_DIGITS, sizes=(0.9, 0.9), turns=(0.0, 0.0))
    rng = np.random.default_rng(0)
    drawn = {name: drawn_form(still, name, rng) for name in DIGITS}
    for name, one in drawn.items():
        assert 0.05 < one.mean() < 0.35 and one.max() == 1.0
        assert max(np.abs(line).max() for part in DIGITS[name] for line in part) <= 1
        for other, form in drawn.items():
            if other != name:
                shifts = [np.abs(one - np.roll(form, n, (0, 1))).mean() for n in (-1, 0, 1)]
                assert min(shifts) > 0.03, (name, other)


def test_what_lies_in_several_parts_of_a_form_is_in_it() -> None:
    square = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    twice = replace(SHAPES, forms={"x": ((square,), (square,))}, sizes=(1.0, 1.0), turns=(0.0, 0.0))
    assert drawn_form(twice, "x", np.random.default_rng(0)).mean() == pytest.approx(0.25)


def test_a_canvas_has_the_whole_form_somewhere_and_as_many_pieces() -> None:
    form = np.ones((28, 28))
    places = set()
    for seed in range(20):
        bare = on_canvas(replace(CLUTTERED_DIGITS, clutter=0), form, np.random.default_rng(seed))
        assert bare.shape == (60, 60) and bare.sum() == 28 * 28
        full = on_canvas(CLUTTERED_DIGITS, form, np.random.default_rng(seed))
        assert (full[bare == 1] == 1).all() and 0 < (full - bare).sum() <= 4 * 64
        places.add(int(np.flatnonzero(bare)[0]))
    assert len(places) > 15


def test_digits_are_white_before_black() -> None:
    for picture in pixels(CENTRED_DIGITS):
        grey = picture.mean(2)
        assert np.median(grey) < 60 < 180 < np.quantile(grey, 0.95)
