"""Softmax of sums of tanh and the weighted sum of values, a block of queries at a time."""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import by_address
from regard._kernels.panels import KEYS, LOWEST, QUERIES, turn_back, turn_panel, weigh
from regard._kernels.tanh_panels import TWICE, mark_far, score_open, take_exponentials
from regard._kernels.tiles import COLUMNS, multiply_add
from regard._kernels.vectors import LANES, at, numbers_of

_F = np.float32


def _forward(  # type: ignore[no-untyped-def]
    out, tops, sums, query, key, value, v, is_open, sizes, first, last
):
    """Output, largest scaled scores and sums of some blocks of queries."""
    n = sizes
    heads, groups, q_len, k_len, width, value_width = n[0], n[1], n[2], n[3], n[4], n[5]
    v_row, q_step, k_step = n[8], n[11], n[12]
    blocks, sources = (q_len + QUERIES - 1) // QUERIES, heads // groups
    space = np.empty(
        2 * LANES + KEYS * (COLUMNS + width) + QUERIES * (width + value_width + 2), np.float32
    )
    scores = numbers_of(space)
    turned = at(scores, KEYS * COLUMNS)
    output = at(turned, QUERIES * width)
    top = at(output, QUERIES * value_width)
    total = at(top, QUERIES)
    f = at(total, QUERIES)
    outputs = carray(output, (QUERIES * value_width,))
    all_tops, totals = carray(top, (QUERIES,)), carray(total, (QUERIES,))
    leads = (last + blocks - 1) // blocks
    all_q, all_k = carray(query, (leads * q_len, width)), carray(key, (leads * k_len, width))
    far_queries, far_keys = np.empty(QUERIES, np.uint8), np.empty(KEYS, np.uint8)
    near, powers, by = np.empty(width, np.float32), np.empty(width, np.int32), carray(v, (width,))
    for task in range(first, last):
        lead, q0 = task // blocks, task % blocks * QUERIES
        b, h = lead // heads, lead % heads
        g = h // groups
        count, row = min(QUERIES, q_len - q0), lead * q_len + q0
        keys = (b * sources + g) * k_len
        values = at(value, b * n[6] + g * n[7])
        outputs[:] = 0
        all_tops[:] = LOWEST
        totals[:] = 0
        for here in range(0, count, COLUMNS):
            e = at(turned, here * width)
            turn_panel(e, at(query, (row + here) * width), width, count - here, width)
            take_exponentials(e, e, COLUMNS * width)
        mark_far(far_queries, all_q[row : row + count])
        for k0 in range(0, k_len, KEYS):
            rows, k1 = min(KEYS, k_len - k0), keys + k0
            far_k, raw_k = far_keys[:rows], all_k[k1 : k1 + rows]
            take_exponentials(f, at(key, k1 * width), rows * width)
            mark_far(far_k, raw_k)
            for here in range(0, count, COLUMNS):
                stop = min(here + COLUMNS, count)
                if not score_open(
                    scores, COLUMNS, at(turned, here * width), all_q[row + here : row + stop],
                    far_queries[here:stop], f, raw_k, far_k, v, by, near, powers, is_open,
                    b * n[9] + h * n[10] + (q0 + here) * q_step + k0 * k_step, q_step, k_step,
                ):  # fmt: skip
                    continue
                sums_of = at(output, here * value_width)
                weigh(scores, rows, at(top, here), at(total, here), sums_of, value_width, TWICE)
                multiply_add(
                    sums_of, COLUMNS, at(values, k0 * v_row), 1, v_row, value_width,
                    scores, COLUMNS, rows,
                )  # fmt: skip
        for i in range(count):
            tops[row + i], sums[row + i] = all_tops[i], totals[i]
        for i in range(QUERIES):
            totals[i] = _F(1) / totals[i] if totals[i] != 0 else _F(0)
        for here in range(0, count, COLUMNS):
            turn_back(
                at(out, (row + here) * value_width), value_width, at(output, here * value_width),
                at(total, here), count - here, value_width,
            )  # fmt: skip
    space[0] = 0  # so that it is there until here


_N = types.float32
forward = by_address(_forward, [*[_N] * 7, types.uint8, types.int64], 2)
