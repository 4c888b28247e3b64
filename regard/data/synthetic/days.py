"""The days that the date task knows, their ISO 8601 names, and which of them are never trained on.

The days are the hundred years 1969-2068, the window in which POSIX reads a year of two digits
(69-99 are 1969-1999, 00-68 are 2000-2068): whatever a language's short format leaves out, `3/3/26`
names one year only.
"""

import datetime
import hashlib
from functools import cache

import numpy as np

from regard.data.schema import SPLITS

FIRST_YEAR, YEARS = 1969, 100
FIRST_DAY = datetime.date(FIRST_YEAR, 1, 1).toordinal()
NUM_DAYS = datetime.date(FIRST_YEAR + YEARS, 1, 1).toordinal() - FIRST_DAY


def day(number: int) -> datetime.date:
    """Day `number` of the window.

    >>> day(0), day(NUM_DAYS - 1)
    (datetime.date(1969, 1, 1), datetime.date(2068, 12, 31))
    """
    if not 0 <= number < NUM_DAYS:
        raise ValueError(f"number must be between 0 and {NUM_DAYS - 1}, got {number}")
    return datetime.date.fromordinal(FIRST_DAY + number)


def number_of(date: datetime.date) -> int:
    """The inverse of `day`; raises `ValueError` outside the window."""
    number = date.toordinal() - FIRST_DAY
    if not 0 <= number < NUM_DAYS:
        last = FIRST_YEAR + YEARS - 1
        raise ValueError(f"the days known are those of {FIRST_YEAR}-{last}, got {date}")
    return number


def day_split(date: datetime.date) -> str:
    """`train` for nine days of ten, else `valid` or `test`: a hash of the ISO name decides.

    The day alone decides, so no language ever shows in training what another is examined on, and
    neither the seed, the version nor the choice of languages moves a day to another part.

    >>> day_split(datetime.date(2026, 3, 3))
    'train'
    """
    draw = hashlib.blake2b(date.isoformat().encode(), digest_size=4).digest()
    part = int.from_bytes(draw, "big") % 20
    return "test" if part == 0 else "valid" if part == 1 else "train"


@cache
def days_of(split: str) -> np.ndarray:
    """The numbers of the days of one split, ascending (read-only)."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {SPLITS}, got {split!r}")
    numbers = np.array([n for n in range(NUM_DAYS) if day_split(day(n)) == split])
    numbers.flags.writeable = False
    return numbers
