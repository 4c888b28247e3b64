"""The gradients of `softmax(scale q k^T + bias) v` in one pass over the keys, scores taken again.

    P = exp(scale q k^T + bias - top)      dP = dO v^T       dS = P * (dP - sum(dO * O))
    dq = scale dS k      dk = scale dS^T q      dv = P^T dO      dbias = dS

Links between the product and the weight (`link_loops.py`) are followed again and gone back, the
last first, before dS is that of the product. What P is to be divided by, dO is divided by instead,
once for each query. Of a sigmoid dS is `P * (1 - P) * dP`. A dropout leaves the same weights out of
dv, and the changes of these out of dS.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.between import squash_again, weigh_again
from regard._kernels.by_address import by_address
from regard._kernels.kept_bits import ROOM, draw, drop
from regard._kernels.link_loops import enter, follow, leave, part_at, retrace, room_for
from regard._kernels.link_records import GROWN, KIND, RECORD
from regard._kernels.links import CAP
from regard._kernels.panels import (
    KEYS,
    QUERIES,
    ROW,
    clear,
    hide,
    product,
    reach,
    read_rows,
    turn_back,
    turn_panel,
)
from regard._kernels.tiles import COLUMNS, VECTORS, multiply, multiply_add, multiply_then_add
from regard._kernels.vectors import LANES, at, numbers_of

_F = np.float32
_HIGHEST = _F(3e38)
"""What is taken off the scores of queries that are not there, so that they have no weight."""


def _backward(  # type: ignore[no-untyped-def]
    dq, dk, dv, upstream, out, tops, sums, query, key, value, links, numbers, sizes, spans, factor,
    rest, first, last
):  # fmt: skip
    """The gradients of some pieces of heads; what has keys has a part for each, zero at first.

    Heads that share what learns, a bias by pairs or vectors of distances, are one task, so that no
    two write to its gradient; other gradients have a part for each piece.

    Args:
        factor: the scale of the product.
        rest: what is left to multiply scores by before they are powers of two.
    """
    n = sizes
    heads, groups, q_len, k_len, width, value_width = n[0], n[1], n[2], n[3], n[4], n[5]
    q_row, k_row, v_row, up_row, out_row, dq_row = n[8], n[11], n[14], n[17], n[20], n[23]
    span_row, pieces, blocks = n[26], n[27], (q_len + QUERIES - 1) // QUERIES
    is_sigmoid, likely, out_of, seed, count_links = n[28], n[29], n[30], n[31], n[32]
    shared_b, shared_h = n[33], n[34]
    larger = _F(out_of) / _F(likely) if likely else _F(0)  # of what a dropout keeps
    wide = (width + COLUMNS - 1) // COLUMNS * COLUMNS
    value_wide = (value_width + COLUMNS - 1) // COLUMNS * COLUMNS
    places, capped = np.empty(count_links, np.int64), np.empty(count_links, np.float64)
    tiles = LANES + 2 * KEYS * ROW + KEYS * COLUMNS + KEYS * VECTORS + ROOM
    tiles += room_for(links, count_links, places, True)
    space = np.zeros(
        LANES + tiles + QUERIES * (2 * width + value_width + wide + value_wide + 4), np.float32
    )
    weights = numbers_of(space)
    changes = at(weights, LANES + KEYS * ROW)
    room = at(changes, KEYS * ROW)
    bits = at(room, KEYS * COLUMNS)
    turned = at(bits, KEYS * VECTORS + ROOM)
    grown = at(turned, QUERIES * width)
    turned_up = at(grown, QUERIES * width)
    rows_q = at(turned_up, QUERIES * value_width)
    rows_up = at(rows_q, QUERIES * wide)
    top = at(rows_up, QUERIES * value_wide)
    inner, inverse, factors = at(top, QUERIES), at(top, 2 * QUERIES), at(top, 3 * QUERIES)
    own = at(top, 4 * QUERIES)
    edges = np.empty((QUERIES // COLUMNS, 4), np.int64)
    reached = np.empty(QUERIES // COLUMNS, np.int64)
    all_grown = carray(grown, (QUERIES * width,))
    of_queries = carray(top, (4, QUERIES))
    each, heads_apart = shared_b * shared_h, heads // shared_h
    for step in range(first * each, last * each):
        task, one = step // each, step % each
        shared, piece = task // pieces, task % pieces
        b = shared // heads_apart * shared_b + one // shared_h
        h = shared % heads_apart * shared_h + one % shared_h
        lead, g = b * heads + h, h // groups
        part = lead * pieces + piece
        k, v = at(key, b * n[9] + g * n[10]), at(value, b * n[12] + g * n[13])
        to_k, to_v = at(dk, part * k_len * wide), at(dv, part * k_len * value_wide)
        capped[:] = 0
        for q0 in range(
            blocks * piece // pieces * QUERIES,
            min(blocks * (piece + 1) // pieces * QUERIES, q_len),
            QUERIES,
        ):
            count = min(QUERIES, q_len - q0)
            lows = b * n[25] + q0 * span_row
            highs = lows + n[24]
            block_first, block_last = reach(edges, spans, lows, highs, span_row, count)
            q = at(query, b * n[6] + h * n[7] + q0 * q_row)
            up = at(upstream, b * n[15] + h * n[16] + q0 * up_row)
            o = at(out, b * n[18] + h * n[19] + q0 * out_row)
            to_q = at(dq, b * n[21] + h * n[22] + q0 * dq_row)
            reached[:] = -1
            all_grown[:] = 0
            of_queries[:] = 0
            of_queries[0, count:] = _HIGHEST
            enter(links, numbers, count_links, b, h, q0, count, own, places, factors)
            of_queries[3, :] = factor
            for i in range(count):
                total = sums[lead * q_len + q0 + i]
                of_queries[0, i] = tops[lead * q_len + q0 + i]
                of_queries[2, i] = larger / total if total != 0 else _F(0)
            read_rows(rows_up, value_wide, up, up_row, value_width, inverse, count)
            read_rows(rows_q, wide, q, q_row, width, factors, count)
            for i in range(0 if is_sigmoid else count):
                mean = product(at(rows_up, i * value_wide), at(o, i * out_row), value_width)
                of_queries[1, i] = mean * _F(likely) / _F(out_of)
            for here in range(0, count, COLUMNS):
                turn_panel(
                    at(turned, here * width), at(q, here * q_row), q_row, count - here, width
                )
                turn_panel(
                    at(turned_up, here * value_width), at(rows_up, here * value_wide), value_wide,
                    count - here, value_width,
                )  # fmt: skip
            for k0 in range(block_first, block_last, KEYS):
                rows = min(KEYS, block_last - k0)
                start, stop = count, 0  # of the queries that see any of these keys
                for here in range(0, count, COLUMNS):
                    edge = edges[here // COLUMNS]
                    near, far = max(k0, edge[0]), min(k0 + rows, edge[1])
                    if near < far:
                        start, stop = min(start, here), min(here + COLUMNS, count)
                if start >= stop:
                    continue
                for here in range(start, stop, COLUMNS):
                    edge = edges[here // COLUMNS]
                    near, far = max(k0, edge[0]), min(k0 + rows, edge[1])
                    if near >= far:
                        near, far = k0, k0
                    p, dp = at(weights, here), at(changes, here)
                    clear(p, ROW, near - k0, far - k0, rows)
                    clear(dp, ROW, near - k0, far - k0, rows)
                    if near == far:
                        continue
                    p, dp = at(p, (near - k0) * ROW), at(dp, (near - k0) * ROW)
                    queries, ups = at(turned, here * width), at(turned_up, here * value_width)
                    ks, vs = at(k, near * k_row), at(v, near * v_row)
                    multiply(p, ROW, ks, k_row, 1, far - near, queries, COLUMNS, width)
                    multiply(dp, ROW, vs, v_row, 1, far - near, ups, COLUMNS, value_width)
                    left = count - here
                    follow(
                        p, ROW, far - near, links, numbers, count_links, b, h, q0 + here, near,
                        q_len, k_len, left, room, own, places, (near - k0) * ROW + here,
                        reached[here // COLUMNS] == near,
                    )  # fmt: skip
                    if near < edge[2] or far > edge[3]:
                        hide(
                            p, ROW, far - near, near, spans, lows + here * span_row,
                            highs + here * span_row, span_row, left,
                        )  # fmt: skip
                    if likely < out_of:
                        kept = draw(bits, q0 + here, near, far - near, lead, seed, likely)
                        drop(dp, ROW, far - near, kept)
                    if is_sigmoid:
                        squash_again(p, dp, ROW, far - near, rest)
                    else:
                        weigh_again(p, dp, ROW, far - near, at(top, here), at(inner, here), rest)
                    if likely < out_of:
                        drop(p, ROW, far - near, kept)
                retrace(
                    changes, links, count_links, b, h, piece, q0, k0, rows, start, stop, count,
                    q_len, k_len, edges, reached, room, own, places, capped,
                )  # fmt: skip
                for here in range(start, stop, COLUMNS):
                    edge = edges[here // COLUMNS]
                    near, far = max(k0, edge[0]), min(k0 + rows, edge[1])
                    if near >= far:
                        continue
                    reached[here // COLUMNS] = far if far - near == KEYS else -1
                    dp = at(changes, (near - k0) * ROW + here)
                    multiply_then_add(
                        at(grown, here * width), COLUMNS, at(k, near * k_row), 1, k_row, width,
                        dp, ROW, far - near,
                    )  # fmt: skip
                for d in range(0, value_wide, COLUMNS):
                    multiply_add(
                        at(to_v, k0 * value_wide + d), value_wide, at(weights, start), ROW, 1,
                        rows, at(rows_up, start * value_wide + d), value_wide, stop - start,
                    )  # fmt: skip
                for d in range(0, wide, COLUMNS):
                    multiply_add(
                        at(to_k, k0 * wide + d), wide, at(changes, start), ROW, 1,
                        rows, at(rows_q, start * wide + d), wide, stop - start,
                    )  # fmt: skip
            leave(links, numbers, count_links, b, h, piece, q0, count, q_len, reached, own, places)
            for here in range(0, count, COLUMNS):
                turn_back(
                    at(to_q, here * dq_row), dq_row, at(grown, here * width), at(factors, here),
                    count - here, width,
                )  # fmt: skip
        for i in range(count_links):
            if links[i * RECORD + KIND] == CAP and links[i * RECORD + GROWN]:
                part_at(links, i * RECORD + GROWN, b, h, piece)[0] = _F(capped[i])
    space[0] = 0  # so that it is there until here


_TENSORS = [*[types.float32] * 10, types.int64, types.float32, types.int64, types.int32]
backward = by_address(_backward, _TENSORS, 2, numbers=2)
