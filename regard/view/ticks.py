"""Where an axis is marked, and how a number is written beside it."""

from collections.abc import Iterable, Sequence
from math import ceil, floor, log10


def ticks(low: float, high: float, count: int = 5, whole: bool = False) -> list[float]:
    """Round numbers between `low` and `high`, about `count` of them; `whole` ones as for steps.

    >>> ticks(0.0, 1234.0), ticks(1.0, 3.0, 4, whole=True)
    ([0.0, 250.0, 500.0, 750.0, 1000.0], [1.0, 2.0, 3.0])
    """
    if not high > low:
        return [low]
    rough = (high - low) / count
    unit = 10.0 ** floor(log10(rough))
    factors = (1, 2, 5, 10) if whole else (1, 2, 2.5, 5, 10)
    step = next(unit * factor for factor in factors if unit * factor >= rough * 0.999)
    step = max(1.0, step) if whole else step
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [float(f"{n * step:.12g}") for n in range(first, last + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers between two positive ones, for a logarithmic axis.

    >>> log_ticks(0.8, 250.0)
    [1.0, 10.0, 100.0]
    >>> log_ticks(2.0, 12.0)
    [2.0, 5.0, 10.0]
    """
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    for digits in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
        every = max(1, len(decades) // 6) if digits == (1,) else 1
        marks = [digit * 10.0**decade for decade in decades[::every] for digit in digits]
        inside = [float(f"{m:.12g}") for m in marks if low * 0.999 <= m <= high * 1.001]
        if len(inside) >= 3:
            break
    return inside


def short(value: float, digits: int = 4) -> str:
    """A number with about four digits, such as a reader wants beside a curve.

    >>> [short(value) for value in (0.0, 3.14159, 0.000512, 15250.0, 3e6, 41.0)]
    ['0', '3.142', '5.12e-4', '15,250', '3M', '41']
    """
    size = abs(value)
    if value and not 1e-3 <= size < 1e12:
        shown, exponent = f"{value:.{digits - 2}e}".split("e")
        return f"{shown.rstrip('0').rstrip('.') if '.' in shown else shown}e{int(exponent)}"
    if size >= 1e6:
        return f"{value / 1e9:.{digits}g}G" if size >= 1e9 else f"{value / 1e6:.{digits}g}M"
    if size >= 1e3:
        return f"{value:,.{max(0, digits - 1 - floor(log10(size)))}f}"
    return f"{value:.{digits}g}"


def percent(share: float, digits: int = 1) -> str:
    """A share of all as it is read.

    What is less than all is not rounded to all.

    >>> percent(0.7532), percent(1.0), percent(0.5, 0), percent(0.99999)
    ('75.3 %', '100.0 %', '50 %', '99.9 %')
    """
    shown = 100 * share
    return f"{shown if share >= 1 else min(shown, 100 - 10.0**-digits):.{digits}f} %"


def names_of_ticks(values: Sequence[float], as_percent: bool = False) -> list[str]:
    """How the marks of an axis are written, with as many digits as tell them apart.

    >>> names_of_ticks([0.69312, 0.69314]), names_of_ticks([0.25, 0.5], as_percent=True)
    (['0.69312', '0.69314'], ['25 %', '50 %'])
    """
    for digits in range(4, 12):
        names = [short(value, digits) for value in values]
        if as_percent:
            names = [percent(value, digits - 4) for value in values]
            if digits > 6:  # So small a share is a number like any other.
                names = [f"{short(100 * value, digits - 3)} %" for value in values]
        if len(set(names)) == len(names):
            break
    return names


def decimals(values: Iterable[float]) -> int:
    """How many decimals give a column of these numbers about four digits.

    >>> decimals([0.93, 0.1]), decimals([255.5, 4.5]), decimals([38.15]), decimals([])
    (4, 2, 2, 0)
    """
    largest = max(map(abs, values), default=0.0)
    return min(4, max(2, 3 - floor(log10(largest)))) if 0 < largest < 1e5 else 0


def clock(seconds: float) -> str:
    """A time as it is read.

    >>> [clock(seconds) for seconds in (7.25, 95.0, 7325.0)]
    ['7.2 s', '1 min 35 s', '2 h 2 min']
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
