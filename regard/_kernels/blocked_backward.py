"""The gradients of `softmax(scale q k^T + bias) v` in one pass over the keys, scores taken again.

    P = exp(scale q k^T + bias - top)      dP = dO v^T       dS = P * (dP - sum(dO * O))
    dq = scale dS k      dk = scale dS^T q      dv = P^T dO      dbias = dS

For a product with vectors of distances dS is laid out by distance, and takes part in the same two
products again. What P is to be divided by, dO is divided by instead, once for each query. Of a
sigmoid dS is `P * (1 - P) * dP`; of scores that were capped it is multiplied by the slope of the
cap. A dropout leaves the same weights out of dv, and the changes of these out of dS.
"""

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]

from regard._kernels.between import (
    BY_PAIR,
    PER_OCTAVE,
    add_bias,
    add_turned,
    bias_of,
    cap_and_slope,
    slope,
    squash_again,
    sum_diagonals,
    weigh_again,
)
from regard._kernels.by_address import by_address
from regard._kernels.kept_bits import ROOM, draw, drop
from regard._kernels.panels import (
    KEYS,
    QUERIES,
    clear,
    hide,
    product,
    reach,
    read_rows,
    turn_back,
    turn_panel,
)
from regard._kernels.relative import (
    DISTANCES,
    first_distance,
    multiply_changes,
    multiply_distances,
    turn_distances,
)
from regard._kernels.tiles import COLUMNS, VECTORS, multiply, multiply_add, multiply_then_add
from regard._kernels.vectors import LANES, at, numbers_of

_F = np.float32
ROW = QUERIES + LANES
"""Of a tile of all queries: they and zeros, which diagonals may run into."""

_HIGHEST = _F(3e38)
"""What is taken off the scores of queries that are not there, so that they have no weight."""


def _backward(  # type: ignore[no-untyped-def]
    dq,
    dk,
    dv,
    dbias,
    dfar,
    dtable,
    upstream,
    out,
    tops,
    sums,
    query,
    key,
    value,
    bias,
    far_query,
    table,
    rows_table,
    sizes,
    spans,
    scale,
    factor,
    cap_by,
    cap_onto,
    unit,
    far_factor,
    first,
    last,
):
    """The gradients of some pieces of heads; what has keys has a part for each, zero at first.

    Heads that share a bias by pairs which learns are one task, so that no two write to its
    gradient; that of a bias by distance has a part for each piece.
    """
    n = sizes
    heads, groups, q_len, k_len, width, value_width = n[0], n[1], n[2], n[3], n[4], n[5]
    q_row, k_row, v_row, up_row, out_row, dq_row = n[8], n[11], n[14], n[17], n[20], n[23]
    span_row, pieces, blocks = n[26], n[27], (q_len + QUERIES - 1) // QUERIES
    is_sigmoid, bias_kind, bias_row = n[28], n[29], n[32]
    caps_last, likely, out_of, seed = n[33], n[34], n[35], n[36]
    depth, far_row, table_row = n[37], n[40], n[43]
    learns, diagonal_row, pair_row, shared_b, shared_h = n[46], n[47], n[48], n[52], n[53]
    caps_first = cap_onto != 0 and not caps_last
    larger = _F(out_of) / _F(likely) if likely else _F(0)  # of what a dropout keeps
    is_plain = cap_onto == 0 and bias_kind == 0 and depth == 0
    rest = _F(scale) if is_plain else _F(1)  # what is left to multiply by
    wide = (width + COLUMNS - 1) // COLUMNS * COLUMNS
    value_wide = (value_width + COLUMNS - 1) // COLUMNS * COLUMNS
    far_wide = (depth + COLUMNS - 1) // COLUMNS * COLUMNS
    numbers = 2 * width + value_width + wide + value_wide + 5
    numbers += 2 * (DISTANCES + far_wide) if depth else 0
    tiles = LANES + 3 * KEYS * ROW + KEYS * COLUMNS + KEYS * VECTORS + ROOM
    space = np.zeros(LANES + tiles + QUERIES * numbers, np.float32)
    weights = numbers_of(space)
    changes = at(weights, LANES + KEYS * ROW)
    slopes = at(changes, KEYS * ROW)
    room = at(slopes, KEYS * ROW)
    bits = at(room, KEYS * COLUMNS)
    turned = at(bits, KEYS * VECTORS + ROOM)
    grown = at(turned, QUERIES * width)
    turned_up = at(grown, QUERIES * width)
    rows_q = at(turned_up, QUERIES * value_width)
    rows_up = at(rows_q, QUERIES * wide)
    top = at(rows_up, QUERIES * value_wide)
    inner, inverse, factors = at(top, QUERIES), at(top, 2 * QUERIES), at(top, 3 * QUERIES)
    far_factors, nearby = at(top, 4 * QUERIES), at(top, 5 * QUERIES)
    sheared = at(nearby, QUERIES * DISTANCES if depth else 0)
    rows_far = at(sheared, QUERIES * DISTANCES if depth else 0)
    far_grown = at(rows_far, QUERIES * far_wide)
    edges = np.empty((QUERIES // COLUMNS, 4), np.int64)
    reached = np.empty(QUERIES // COLUMNS, np.int64)
    all_far_grown = carray(far_grown, (QUERIES * far_wide,))
    all_grown = carray(grown, (QUERIES * width,))
    of_queries = carray(top, (5, QUERIES))
    each, heads_apart = shared_b * shared_h, heads // shared_h
    for step in range(first * each, last * each):
        task, one = step // each, step % each
        shared, piece = task // pieces, task % pieces
        b = shared // heads_apart * shared_b + one // shared_h
        h = shared % heads_apart * shared_h + one % shared_h
        lead, g = b * heads + h, h // groups
        part = lead * pieces + piece
        k, v = at(key, b * n[9] + g * n[10]), at(value, b * n[12] + g * n[13])
        biases = at(bias, b * n[30] + h * n[31])
        to_k, to_v = at(dk, part * k_len * wide), at(dv, part * k_len * value_wide)
        to_pairs = at(dbias, b * n[49] + h * n[50] + piece * n[51])
        distances = at(table, b * n[41] + h * n[42])
        of_distances = at(rows_table, b * n[44] + h * n[45])
        to_table = at(dtable, b * n[54] + h * n[55] + piece * n[56])
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
            far_q = at(far_query, b * n[38] + h * n[39] + q0 * far_row)
            reached[:] = -1
            all_grown[:] = 0
            all_far_grown[:] = 0
            of_queries[:] = 0
            of_queries[0, count:] = _HIGHEST
            of_queries[3, :] = factor
            of_queries[4, :] = far_factor
            for i in range(count):
                total = sums[lead * q_len + q0 + i]
                of_queries[0, i] = tops[lead * q_len + q0 + i]
                of_queries[2, i] = larger / total if total != 0 else _F(0)
            read_rows(rows_up, value_wide, up, up_row, value_width, inverse, count)
            read_rows(rows_q, wide, q, q_row, width, factors, count)
            if depth:
                read_rows(rows_far, far_wide, far_q, far_row, depth, far_factors, count)
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
                    flat = at(slopes, (near - k0) * ROW + here)
                    queries, ups = at(turned, here * width), at(turned_up, here * value_width)
                    ks, vs = at(k, near * k_row), at(v, near * v_row)
                    multiply(p, ROW, ks, k_row, 1, far - near, queries, COLUMNS, width)
                    multiply(dp, ROW, vs, v_row, 1, far - near, ups, COLUMNS, value_width)
                    if caps_first:
                        cap_and_slope(p, flat, ROW, far - near, cap_by, cap_onto)
                    by = 1 if caps_first else scale
                    panel, left = here // COLUMNS, count - here
                    column = first_distance(q0 + here, near, q_len)
                    if depth:
                        products = at(nearby, here * DISTANCES)
                        multiply_distances(
                            products, at(far_q, here * far_row), far_row, left, distances,
                            table_row, column, far - near, reached[panel] == near, depth,
                        )  # fmt: skip
                        turn_panel(
                            room, at(products, COLUMNS - 1), DISTANCES - 1, left, far - near
                        )  # fmt: skip
                        add_bias(p, ROW, far - near, by, room, COLUMNS, unit)
                        by = 1
                    if bias_kind:
                        added, distance = bias_of(
                            bias_kind, biases, bias_row, q0 + here, near, k_len, count - here,
                            far - near, room,
                        )  # fmt: skip
                        add_bias(p, ROW, far - near, by, added, distance, PER_OCTAVE)
                    if caps_last:
                        cap_and_slope(p, flat, ROW, far - near, cap_by, cap_onto)
                    if near < edge[2] or far > edge[3]:
                        hide(
                            p, ROW, far - near, near, spans, lows + here * span_row,
                            highs + here * span_row, span_row, count - here,
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
                    if caps_last:
                        slope(dp, flat, ROW, far - near)
                    if learns and bias_kind == BY_PAIR:
                        add_turned(
                            at(to_pairs, (q0 + here) * pair_row + near), pair_row, dp, ROW,
                            far - near, count - here, room,
                        )  # fmt: skip
                    if depth:
                        turned_far = at(sheared, here * DISTANCES)
                        goes_on = reached[panel] == near
                        if reached[panel] >= 0 and not goes_on:
                            before = first_distance(q0 + here, reached[panel], q_len) * far_wide
                            multiply_changes(
                                at(far_grown, here * far_wide), at(to_table, before),
                                at(turned_far, KEYS), COLUMNS, left, at(rows_far, here * far_wide),
                                at(of_distances, before), far_wide,
                            )  # fmt: skip
                        turn_distances(turned_far, dp, ROW, far - near, goes_on)
                        is_whole = far - near == KEYS
                        multiply_changes(
                            at(far_grown, here * far_wide), at(to_table, column * far_wide),
                            turned_far, KEYS if is_whole else DISTANCES, left,
                            at(rows_far, here * far_wide), at(of_distances, column * far_wide),
                            far_wide,
                        )  # fmt: skip
                        reached[panel] = far if is_whole else -1
                if diagonal_row:
                    for here in range(0, QUERIES, COLUMNS):
                        if here < start or here >= stop:
                            clear(at(changes, here), ROW, 0, 0, rows)
                    sum_diagonals(
                        at(dbias, part * diagonal_row + LANES + q0 - k0 + k_len - 1), changes,
                        ROW, rows, QUERIES,
                    )  # fmt: skip
                for here in range(start, stop, COLUMNS):
                    edge = edges[here // COLUMNS]
                    near, far = max(k0, edge[0]), min(k0 + rows, edge[1])
                    if near >= far:
                        continue
                    dp = at(changes, (near - k0) * ROW + here)
                    if caps_first:
                        slope(dp, at(slopes, (near - k0) * ROW + here), ROW, far - near)
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
            if depth:
                to_far = at(dfar, b * n[57] + h * n[58] + q0 * n[59])
                for here in range(0, count, COLUMNS):
                    end = reached[here // COLUMNS]
                    if end >= 0:
                        before = first_distance(q0 + here, end, q_len) * far_wide
                        multiply_changes(
                            at(far_grown, here * far_wide), at(to_table, before),
                            at(sheared, here * DISTANCES + KEYS), COLUMNS, count - here,
                            at(rows_far, here * far_wide), at(of_distances, before), far_wide,
                        )  # fmt: skip
                for i in range(count):
                    for d in range(depth):
                        to_far[i * n[59] + d] = far_grown[i * far_wide + d] * _F(far_factor)
            for here in range(0, count, COLUMNS):
                turn_back(
                    at(to_q, here * dq_row), dq_row, at(grown, here * width), at(factors, here),
                    count - here, width,
                )  # fmt: skip
    space[0] = 0  # so that it is there until here


_TENSORS = [*[types.float32] * 17, types.int64, types.int32]
backward = by_address(_backward, _TENSORS, 2, numbers=6)
