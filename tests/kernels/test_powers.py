"""Powers by plain arithmetic are powers."""

import numpy as np
import pytest

from regard._kernels.installed import has_loops

pytestmark = pytest.mark.skipif(not has_loops(), reason="Numba is not installed")


@pytest.mark.parametrize("p", [1.0001, 1.4, 2.0, 10 / 3, 10.0, 1000.0])
def test_a_power_is_off_by_a_few_units_of_its_logarithm(p: float) -> None:
    from regard._kernels.powers import power

    some = np.random.default_rng(0).random(2000)
    edges = [1.0, 0.5, 2.0**-0.5, np.nextafter(2.0**-0.5, 0), 1e-300, 1e300]
    for x in (*some, *10 ** (-30 * some), *edges):
        with np.errstate(over="ignore", under="ignore"):
            wanted = np.float64(x) ** p
        if 1e-300 < wanted < 1e300:
            error = abs(power(float(x), p) - wanted) / wanted
            assert error <= 1e-14 * max(1.0, p * abs(np.log2(x)))
        elif wanted <= 1e-307:
            assert power(float(x), p) == 0.0
