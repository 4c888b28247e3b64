"""`softmax(scale q k^T + bias) v`, a block of queries at a time, the maximum found as keys go by.

Before that links may change scores (`link_loops.py`); they may be squashed by a sigmoid instead of
a softmax, and some of the weights may be dropped.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.between import squash
from regard._kernels.by_address import by_address
from regard._kernels.kept_bits import ROOM, draw, drop
from regard._kernels.link_loops import follow, room_for
from regard._kernels.panels import (
    KEYS,
    LOWEST,
    QUERIES,
    hide,
    reach,
    turn_back,
    turn_panel,
    weigh,
)
from regard._kernels.tiles import COLUMNS, VECTORS, multiply, multiply_then_add
from regard._kernels.vectors import LANES, at, numbers_of

_F = np.float32


def _forward(  # type: ignore[no-untyped-def]
    out, tops, sums, query, key, value, links, numbers, sizes, spans, rest, first, last
):
    """Output, largest scores and sums of some blocks.

    Args:
        rest: what is left to multiply scores by before they are powers of two.
    """
    n = sizes
    heads, groups, q_len, k_len, width, value_width = n[0], n[1], n[2], n[3], n[4], n[5]
    q_row, k_row, v_row, out_row, span_row = n[8], n[11], n[14], n[17], n[20]
    is_sigmoid, likely, out_of, seed, count_links = n[21], n[22], n[23], n[24], n[25]
    larger = _F(out_of) / _F(likely) if likely else _F(0)  # of what a dropout keeps
    blocks = (q_len + QUERIES - 1) // QUERIES
    places = np.empty(count_links, np.int64)
    tiles = LANES + 2 * KEYS * COLUMNS + KEYS * VECTORS + ROOM
    tiles += room_for(links, count_links, places, False)
    space = np.empty(tiles + QUERIES * (width + value_width + 2), np.float32)
    scores = numbers_of(space)
    room = at(scores, KEYS * COLUMNS)
    bits = at(room, KEYS * COLUMNS)
    turned = at(bits, KEYS * VECTORS + ROOM)
    output = at(turned, QUERIES * width)
    top = at(output, QUERIES * value_width)
    total = at(top, QUERIES)
    own = at(total, QUERIES)
    outputs = carray(output, (QUERIES * value_width,))
    edges = np.empty((QUERIES // COLUMNS, 4), np.int64)
    reached = np.empty(QUERIES // COLUMNS, np.int64)
    all_tops, totals = carray(top, (QUERIES,)), carray(total, (QUERIES,))
    for task in range(first, last):
        lead, block = task // blocks, task % blocks
        # Blocks at both ends of a triangle by turns, so that any slice of tasks has as much to do.
        block = block // 2 if block % 2 == 0 else blocks - 1 - block // 2
        b, h = lead // heads, lead % heads
        g, q0 = h // groups, block * QUERIES
        count = min(QUERIES, q_len - q0)
        q = at(query, b * n[6] + h * n[7] + q0 * q_row)
        k, v = at(key, b * n[9] + g * n[10]), at(value, b * n[12] + g * n[13])
        to = at(out, b * n[15] + h * n[16] + q0 * out_row)
        reached[:] = -1
        lows = b * n[19] + q0 * span_row
        highs = lows + n[18]
        block_first, block_last = reach(edges, spans, lows, highs, span_row, count)
        outputs[:] = 0
        all_tops[:] = LOWEST
        totals[:] = 0
        if is_sigmoid:  # each weight is what it is, if there is any
            for i in range(count):
                seen = spans[lows + i * span_row] < spans[highs + i * span_row]
                totals[i] = _F(1) if seen else _F(0)
        for here in range(0, count, COLUMNS):
            turn_panel(at(turned, here * width), at(q, here * q_row), q_row, count - here, width)
        for k0 in range(block_first, block_last, KEYS):
            for here in range(0, count, COLUMNS):
                edge = edges[here // COLUMNS]
                near = max(k0, edge[0])
                far = min(k0 + KEYS, edge[1])
                rows = far - near
                if rows <= 0:
                    continue
                sums_of, queries = at(output, here * value_width), at(turned, here * width)
                multiply(
                    scores, COLUMNS, at(k, near * k_row), k_row, 1, rows, queries, COLUMNS, width
                )
                panel, left = here // COLUMNS, count - here
                follow(
                    scores, COLUMNS, rows, links, numbers, count_links, b, h, q0 + here, near,
                    q_len, k_len, left, room, own, places, -1, reached[panel] == near,
                )  # fmt: skip
                reached[panel] = far if rows == KEYS else -1
                if near < edge[2] or far > edge[3]:
                    hide(
                        scores, COLUMNS, rows, near, spans, lows + here * span_row,
                        highs + here * span_row, span_row, left,
                    )  # fmt: skip
                if is_sigmoid:
                    squash(scores, COLUMNS, rows, rest)
                else:
                    weigh(scores, rows, at(top, here), at(total, here), sums_of, value_width, rest)
                if likely < out_of:
                    kept = draw(bits, q0 + here, near, rows, lead, seed, likely)
                    drop(scores, COLUMNS, rows, kept)
                multiply_then_add(
                    sums_of, COLUMNS, at(v, near * v_row), 1, v_row, value_width,
                    scores, COLUMNS, rows,
                )  # fmt: skip
        for i in range(count):
            tops[lead * q_len + q0 + i], sums[lead * q_len + q0 + i] = all_tops[i], totals[i]
        for i in range(QUERIES):
            totals[i] = larger / totals[i] if totals[i] != 0 else _F(0)
        for here in range(0, count, COLUMNS):
            turn_back(
                at(to, here * out_row), out_row, at(output, here * value_width), at(total, here),
                count - here, value_width,
            )  # fmt: skip
    space[0] = 0  # so that it is there until here


_TENSORS = [*[types.float32] * 6, types.int64, types.float32, types.int64, types.int32]
forward = by_address(_forward, _TENSORS, 2, numbers=1)
