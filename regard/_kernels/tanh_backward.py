"""The gradients of softmax over sums of tanh, whose scores are computed again.

    P = exp(score - top)      dP = dO v^T       dS = P * (dP - sum(dO * O))
    dq = 4 v sum_k dS r (1 - r)      dk = 4 v sum_q dS r (1 - r)      dv = sum dS (1 - 2 r)

What P is to be divided by, dO is divided by instead, once for each query.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.by_address import by_address
from regard._kernels.panels import QUERIES, product, read_rows, turn_panel
from regard._kernels.tanh_changes import add_far, change, clear, give, sum_keys
from regard._kernels.tanh_panels import any_far, mark_far, score_open, take_exponentials
from regard._kernels.tanh_tiles import gradients
from regard._kernels.tiles import COLUMNS, multiply, multiply_add
from regard._kernels.vectors import LANES, at, numbers_of

_F = np.float32


def _backward(  # type: ignore[no-untyped-def]
    dq, dk, d_value, d_weights, upstream, out, tops, sums,
    query, key, value, v, is_open, sizes, first, last,
):  # fmt: skip
    """The gradients of some pieces of heads; all but `dq` have a part for each, zero at first."""
    n = sizes
    heads, groups, q_len, k_len, width, value_width = n[0], n[1], n[2], n[3], n[4], n[5]
    v_row, q_step, k_step, pieces = n[8], n[11], n[12], n[13]
    blocks, sources = (q_len + QUERIES - 1) // QUERIES, heads // groups
    value_wide = (value_width + COLUMNS - 1) // COLUMNS * COLUMNS
    panels = (k_len + COLUMNS - 1) // COLUMNS
    numbers = 2 * COLUMNS + 2 * width + value_width + value_wide + 6
    space = np.empty(
        2 * LANES + QUERIES * numbers + COLUMNS * width * (panels + 3)
        + LANES * (COLUMNS + LANES), np.float32
    )  # fmt: skip
    weights = numbers_of(space)
    changes = at(weights, COLUMNS * QUERIES)
    turned = at(changes, COLUMNS * QUERIES)
    grown = at(turned, QUERIES * width)
    turned_up = at(grown, QUERIES * width)
    rows_up = at(turned_up, QUERIES * value_width)
    top = at(rows_up, QUERIES * value_wide)
    inner, inverse, ones = at(top, QUERIES), at(top, 2 * QUERIES), at(top, 3 * QUERIES)
    all_changes = at(top, 4 * QUERIES)
    grown_k = at(top, 6 * QUERIES)
    turned_k = at(grown_k, COLUMNS * width * panels)
    grown_v = at(turned_k, COLUMNS * width)
    by_key = at(grown_v, COLUMNS * width)
    spare = at(by_key, LANES * COLUMNS)
    f = at(spare, LANES * LANES)
    of_queries = carray(top, (6, QUERIES))
    all_grown, all_grown_k = (
        carray(grown, (QUERIES * width,)),
        carray(grown_k, (COLUMNS * width * panels,)),
    )
    all_grown_v, all_by_key = carray(grown_v, (width, COLUMNS)), carray(by_key, (LANES * COLUMNS,))
    leads = (last + pieces - 1) // pieces
    all_q, all_k = carray(query, (leads * q_len, width)), carray(key, (leads * k_len, width))
    far_queries, far_keys = np.empty(QUERIES, np.uint8), np.empty(COLUMNS, np.uint8)
    near, powers, by = np.empty(width, np.float32), np.empty(width, np.int32), carray(v, (width,))
    far_v = np.zeros(width, np.float64)
    for task in range(first, last):
        lead, piece = task // pieces, task % pieces
        b, h = lead // heads, lead % heads
        g = h // groups
        keys = (b * sources + g) * k_len
        values = at(value, b * n[6] + g * n[7])
        to_value = at(d_value, task * k_len * value_wide)
        all_grown_k[:] = 0
        for q0 in range(
            blocks * piece // pieces * QUERIES,
            min(blocks * (piece + 1) // pieces * QUERIES, q_len),
            QUERIES,
        ):
            count, row = min(QUERIES, q_len - q0), lead * q_len + q0
            up, o = at(upstream, row * value_width), at(out, row * value_width)
            all_grown[:] = 0
            all_grown_v[:] = 0
            of_queries[:] = 0
            of_queries[3, :] = 1
            for i in range(count):
                of_queries[0, i] = tops[row + i]
                of_queries[2, i] = _F(1) / sums[row + i] if sums[row + i] != 0 else _F(0)
            read_rows(rows_up, value_wide, up, value_width, value_width, inverse, count)
            for i in range(count):
                of_queries[1, i] = product(
                    at(rows_up, i * value_wide), at(o, i * value_width), value_width
                )
            for here in range(0, count, COLUMNS):
                e = at(turned, here * width)
                turn_panel(e, at(query, (row + here) * width), width, count - here, width)
                take_exponentials(e, e, COLUMNS * width)
                turn_panel(
                    at(turned_up, here * value_width), at(rows_up, here * value_wide), value_wide,
                    count - here, value_width,
                )  # fmt: skip
            mark_far(far_queries, all_q[row : row + count])
            for k0 in range(0, k_len, COLUMNS):
                rows, k1 = min(COLUMNS, k_len - k0), keys + k0
                far_k, raw_k = far_keys[:rows], all_k[k1 : k1 + rows]
                take_exponentials(f, at(key, k1 * width), rows * width)
                mark_far(far_k, raw_k)
                of_keys, seen = at(grown_k, k0 * width), 0
                turn_panel(turned_k, f, width, rows, width)
                for here in range(0, count, COLUMNS):
                    stop = min(here + COLUMNS, count)
                    far_q, raw_q = far_queries[here:stop], all_q[row + here : row + stop]
                    p, dp = at(weights, here), at(changes, here)
                    permitted = score_open(
                        p, QUERIES, at(turned, here * width), raw_q, far_q,
                        f, raw_k, far_k, v, by, near, powers, is_open,
                        b * n[9] + h * n[10] + (q0 + here) * q_step + k0 * k_step, q_step, k_step,
                    )  # fmt: skip
                    if permitted == 0:
                        clear(p, dp)
                        continue
                    seen += permitted
                    multiply(
                        dp, QUERIES, at(values, k0 * v_row), v_row, 1, rows,
                        at(turned_up, here * value_width), COLUMNS, value_width,
                    )  # fmt: skip
                    change(p, dp, rows, at(top, here), at(inner, here), at(all_changes, here))
                    if any_far(far_q) or any_far(far_k):
                        add_far(
                            of_keys, at(grown, here * width), far_v, dp, QUERIES,
                            raw_q, far_q, raw_k, far_k, near, powers,
                        )  # fmt: skip
                if seen == 0:
                    continue
                for d in range(0, value_wide, COLUMNS):
                    multiply_add(
                        at(to_value, k0 * value_wide + d), value_wide, weights, QUERIES, 1,
                        rows, at(rows_up, d), value_wide, count,
                    )  # fmt: skip
                for d in range(width):
                    all_by_key[:] = 0
                    for here in range(0, count, COLUMNS):
                        of_unit = here * width + d * COLUMNS
                        gradients(
                            by_key, at(grown, of_unit), at(grown_v, d * COLUMNS), at(changes, here),
                            QUERIES, at(turned, of_unit), at(turned_k, d * COLUMNS),
                        )  # fmt: skip
                    sum_keys(at(of_keys, d * COLUMNS), by_key, spare)
            whole = np.float64(0)
            for i in range(QUERIES):
                whole += of_queries[4, i]
            for d in range(width):
                total = far_v[d]
                for j in range(COLUMNS):
                    total += all_grown_v[d, j]
                d_weights[task * width + d] += whole - 2 * total
                far_v[d] = 0
            for here in range(0, count, COLUMNS):
                give(
                    at(dq, (row + here) * width), count - here, at(grown, here * width), v, ones,
                    width,
                )  # fmt: skip
        for k0 in range(0, k_len, COLUMNS):
            to = at(dk, (task * k_len + k0) * width)
            give(to, k_len - k0, at(grown_k, k0 * width), v, ones, width)
    space[0] = 0  # so that it is there until here


_N = types.float32
_TENSORS = [*[_N] * 3, types.float64, *[_N] * 8, types.uint8, types.int64]
backward = by_address(_backward, _TENSORS, 2)
