"""The saliency model against loops over its formulas, and where one thing stands out."""

import math

import numpy as np
import pytest
import torch

from regard.data.synthetic.displays import display
from regard.vision.saliency import ANGLES, Saliency, gabor_filters, scanpath


def test_intensity_is_what_the_formulas_say() -> None:
    images = torch.rand(1, 3, 20, 16, dtype=torch.float64)
    found = Saliency(centers=(1, 2), deltas=(1, 2)).conspicuity(images)["intensity"]
    pyramid = [images[0].mean(0).numpy()]
    for _ in range(4):
        pyramid.append(_halved(pyramid[-1]))
    total = 0.0
    for center in (1, 2):
        for delta in (1, 2):
            fine, coarse = pyramid[center], pyramid[center + delta]
            contrast = _promoted(np.abs(fine - _enlarged(coarse, fine.shape)))
            total = total + _averaged(contrast, pyramid[2].shape)
    np.testing.assert_allclose(found[0, 0].numpy(), total, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", ["colour", "orientation"])
@pytest.mark.parametrize(
    ("displays", "least"), [(10, 9), pytest.param(40, 38, marks=pytest.mark.slow)]
)
def test_the_odd_one_holds_the_maximum(kind: str, displays: int, least: int) -> None:
    saliency, found = Saliency(), 0
    with torch.inference_mode():
        for seed in range(displays):
            shown = display(kind, seed)
            place = (scanpath(saliency(shown.image[None]), 1)[0, 0] + 0.5) * 16
            found += shown.holds(*place.tolist())
    assert found >= least


def test_as_printed_opposite_colours_do_not_stand_out() -> None:
    image = torch.zeros(1, 3, 256, 256, dtype=torch.float64)
    for row in range(8, 256, 32):
        for column in range(8, 256, 32):
            image[:, :, row : row + 16, column : column + 16] = torch.tensor([0.1, 1.0, 0.1])[
                :, None, None
            ].double()
    image[0, :, 104:120, 104:120] = torch.tensor([1.0, 0.1, 0.1])[:, None, None].double()
    place = (0, 0, 7, 7)
    shares = {}
    for variant in ("signed", "paper"):
        colour = Saliency(variant=variant).conspicuity(image)["colour"]
        shares[variant] = (colour[place] / colour.amax()).item()
    assert shares["signed"] == 1 and shares["paper"] < 0.5


def test_a_bar_answers_to_the_filter_of_its_angle() -> None:
    filters = gabor_filters()
    assert filters.sum((1, 2, 3)).abs().max() < 1e-6
    shown = torch.zeros(1, 1, 33, 33)
    middle = torch.arange(33) - 16
    for number, degrees in enumerate(ANGLES):
        angle = math.radians(degrees)
        across = -middle[:, None] * math.cos(angle) - middle[None] * math.sin(angle)
        shown[0, 0] = (across.abs() <= 1).float()
        even, odd = torch.conv2d(shown, filters)[0, :, 10, 10].chunk(2)
        assert (even.square() + odd.square()).argmax() == number


def test_nothing_stands_out_where_all_is_alike() -> None:
    assert torch.equal(Saliency()(torch.full((2, 3, 256, 256), 0.3)), torch.zeros(2, 1, 16, 16))


def test_images_do_not_enter_each_other_and_gradients_are_finite() -> None:
    images = torch.rand(2, 3, 256, 320, dtype=torch.float64, requires_grad=True)
    saliency = Saliency()
    both = saliency(images)
    torch.testing.assert_close(both[1:], saliency(images[1:]))
    both.sum().backward()
    assert images.grad is not None and images.grad.isfinite().all() and images.grad.any()


def test_the_eye_does_not_return() -> None:
    path = scanpath(torch.rand(3, 1, 12, 18), 4)
    assert path.shape == (3, 4, 2)
    for places in path.double():
        apart = torch.cdist(places, places) + torch.eye(4) * 99
        assert apart.min() > 2


@pytest.mark.usefixtures("as_users_have_it")
@pytest.mark.parametrize(
    ("call", "error", "why"),
    [
        (lambda s: s(torch.rand(1, 1, 256, 256)), ValueError, r"\[batch, 3, height, width\], got"),
        (lambda s: s(torch.rand(3, 256, 256)), ValueError, r"got \[3, 256, 256\]"),
        (lambda s: s(torch.rand(1, 3, 255, 400)), ValueError, "at least 256 x 256 have; got 255"),
        (lambda s: s(torch.zeros(1, 3, 256, 256).byte()), TypeError, "uint8; divide by 255"),
        (lambda s: Saliency(centers=()), ValueError, "at least one of centers"),
        (lambda s: Saliency(deltas=(0,)), ValueError, r"deltas\[0\] of at least 1, got 0"),
        (lambda s: Saliency(variant="code"), ValueError, "got 'code'"),  # type: ignore[arg-type]
        (lambda s: scanpath(torch.rand(1, 1, 4, 4), 0), ValueError, "count of at least 1, got 0"),
        (lambda s: display("size", 0), ValueError, "got 'size'"),
    ],
)
def test_bad_input_is_one_sentence(call: object, error: type[Exception], why: str) -> None:
    with pytest.raises(error, match=why):
        call(Saliency())  # type: ignore[operator]


def _halved(image: np.ndarray) -> np.ndarray:
    kernel = np.array([1, 4, 6, 4, 1]) / 16
    rows, columns = image.shape
    padded = np.pad(image, 2, mode="edge")
    halved = np.empty(((rows + 1) // 2, (columns + 1) // 2))
    for row in range(halved.shape[0]):
        for column in range(halved.shape[1]):
            window = padded[2 * row : 2 * row + 5, 2 * column : 2 * column + 5]
            halved[row, column] = kernel @ window @ kernel
    return halved


def _enlarged(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Between the middles of places, those at the margin continued."""
    found = np.empty(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            y = max(0.0, (row + 0.5) * image.shape[0] / shape[0] - 0.5)
            x = max(0.0, (column + 0.5) * image.shape[1] / shape[1] - 0.5)
            top, left = min(int(y), image.shape[0] - 1), min(int(x), image.shape[1] - 1)
            below, right = min(top + 1, image.shape[0] - 1), min(left + 1, image.shape[1] - 1)
            upper = image[top, left] * (1 - x + left) + image[top, right] * (x - left)
            lower = image[below, left] * (1 - x + left) + image[below, right] * (x - left)
            found[row, column] = upper * (1 - y + top) + lower * (y - top)
    return found


def _averaged(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    found = np.empty(shape)
    for row in range(shape[0]):
        for column in range(shape[1]):
            rows = row * image.shape[0] // shape[0], -(-(row + 1) * image.shape[0] // shape[0])
            columns = (
                column * image.shape[1] // shape[1],
                -(-(column + 1) * image.shape[1] // shape[1]),
            )
            found[row, column] = image[slice(*rows), slice(*columns)].mean()
    return found


def _promoted(image: np.ndarray) -> np.ndarray:
    scaled = (image - image.min()) / (image.max() - image.min())
    padded = np.pad(scaled, 1, constant_values=-1.0)
    others = [
        scaled[row, column]
        for row in range(scaled.shape[0])
        for column in range(scaled.shape[1])
        if scaled[row, column] == padded[row : row + 3, column : column + 3].max()
        and 0.1 <= scaled[row, column] < 1
    ]
    return scaled * (1 - (np.mean(others) if others else 0.0)) ** 2
