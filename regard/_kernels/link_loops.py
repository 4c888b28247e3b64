"""The links between a product and its weight (`links.py`), one tile after the other.

Going forward each changes a panel's scores. Going back each turns changes of what it made into
changes of what it was given, and adds to the gradients of what it read.
"""

import numpy as np

from regard._kernels.between import (
    add_bias,
    add_turned,
    bias_of,
    cap,
    cap_and_slope,
    product_of_tiles,
    slope,
    sum_diagonals,
)
from regard._kernels.link_records import DEPTH, GROWN, KIND, OF_ROWS, READ, RECORD, ROWS, TABLE
from regard._kernels.links import BY_DISTANCE, BY_PAIR, BY_VECTORS, CAP
from regard._kernels.panels import KEYS, QUERIES, ROW, clear, read_rows, turn_panel
from regard._kernels.relative import (
    DISTANCES,
    first_distance,
    multiply_changes,
    multiply_distances,
    turn_distances,
)
from regard._kernels.tiles import COLUMNS
from regard._kernels.vectors import LANES, at, in_loops, numbers_at

_F = np.float32
_NEARBY = QUERIES * DISTANCES


@in_loops
def wide_of(depth):  # type: ignore[no-untyped-def]
    """How far a vector of distances is from the next one."""
    return (depth + COLUMNS - 1) // COLUMNS * COLUMNS


@in_loops
def room_for(links, count, places, goes_back):  # type: ignore[no-untyped-def]
    """Numbers that links keep beside a block's tiles; where those of each begin is in `places`."""
    total = 0
    for i in range(count):
        link, places[i] = i * RECORD, total
        if links[link + KIND] == BY_VECTORS:
            total += _NEARBY
            if goes_back:
                total += _NEARBY + 2 * QUERIES * wide_of(links[link + DEPTH])
        elif links[link + KIND] == CAP and goes_back:
            total += KEYS * ROW * (2 if links[link + GROWN] else 1)
    return total


@in_loops
def read_at(links, link, b, h):  # type: ignore[no-untyped-def]
    """The address of what a sequence's head has of the tensor that stands at this place."""
    return at(numbers_at(links[link]), b * links[link + 1] + h * links[link + 2])


@in_loops
def part_at(links, link, b, h, piece):  # type: ignore[no-untyped-def]
    """The same of a tensor with a part for each piece."""
    return at(read_at(links, link, b, h), piece * links[link + 3])


@in_loops
def follow(  # type: ignore[no-untyped-def]
    s, row, rows, links, numbers, count, b, h, query, key, q_len, k_len, left, room, own,
    places, slopes, goes_on
):  # fmt: skip
    """A panel's scores after all links.

    Args:
        left: queries from the panel's first, which is `query`, on.
        room: where what is added is turned.
        own: the numbers that links keep.
        slopes: where in a tile of all queries the panel's scores lie, whose slopes are kept; below
            0 where they are not.
        goes_on: whether products with distances go on from the keys before these.
    """
    panel = query % QUERIES
    for i in range(count):
        link, by, onto = i * RECORD, numbers[2 * i], numbers[2 * i + 1]
        kind = links[link + KIND]
        if kind == CAP:
            if slopes >= 0:
                flat = at(own, places[i] + slopes)
                learns = links[link + GROWN] != 0
                cap_and_slope(s, flat, row, rows, by, onto, KEYS * ROW if learns else 0)
            else:
                cap(s, row, rows, by, onto)
        elif kind == BY_VECTORS:
            products, far_row = at(own, places[i] + panel * DISTANCES), links[link + READ + 3]
            multiply_distances(
                products, at(read_at(links, link + READ, b, h), query * far_row), far_row, left,
                read_at(links, link + TABLE, b, h), links[link + TABLE + 3],
                first_distance(query, key, q_len), rows, goes_on, links[link + DEPTH],
            )  # fmt: skip
            turn_panel(room, at(products, COLUMNS - 1), DISTANCES - 1, left, rows)
            add_bias(s, row, rows, by, room, COLUMNS, onto)
        else:
            added, step = bias_of(
                kind == BY_DISTANCE, read_at(links, link + READ, b, h), links[link + READ + 3],
                query, key, k_len, left, rows, room,
            )  # fmt: skip
            add_bias(s, row, rows, by, added, step, onto)


@in_loops
def enter(links, numbers, count, b, h, q0, queries, own, places, factors):  # type: ignore[no-untyped-def]
    """Zeros where what a block's queries change grows, and their vectors for distances."""
    for i in range(count):
        link = i * RECORD
        if links[link + KIND] == BY_VECTORS:
            depth, far_row = links[link + DEPTH], links[link + READ + 3]
            wide = wide_of(depth)
            for j in range(QUERIES):
                factors[j] = numbers[2 * i + 1]
            far = at(read_at(links, link + READ, b, h), q0 * far_row)
            mine = at(own, places[i] + 2 * _NEARBY)
            read_rows(mine, wide, far, far_row, depth, factors, queries)
            grown = at(mine, QUERIES * wide)
            for j in range(QUERIES * wide):
                grown[j] = _F(0)


@in_loops
def retrace(  # type: ignore[no-untyped-def]
    d, links, count, b, h, piece, q0, k0, rows, start, stop, queries, q_len, k_len, edges,
    reached, room, own, places, capped
):  # fmt: skip
    """Changes of scores after all links become changes of scores before them, for a tile.

    Args:
        d: the changes, of all queries of a block and so many keys from `k0` on.
        start, stop: the queries that see any of the keys.
        capped: for each link, where the gradient of a cap grows.
    """
    for i in range(count - 1, -1, -1):
        link = i * RECORD
        kind, learns = links[link + KIND], links[link + GROWN] != 0
        if kind == BY_DISTANCE and learns:
            for here in range(0, QUERIES, COLUMNS):
                if here < start or here >= stop:
                    clear(at(d, here), ROW, 0, 0, rows)
            to = part_at(links, link + GROWN, b, h, piece)
            sum_diagonals(at(to, LANES + q0 - k0 + k_len - 1), d, ROW, rows, QUERIES)
            continue
        if kind != CAP and not learns:
            continue
        for here in range(start, stop, COLUMNS):
            edge, left = edges[here // COLUMNS], queries - here
            near, far = max(k0, edge[0]), min(k0 + rows, edge[1])
            if near >= far:
                continue
            tile = (near - k0) * ROW + here
            changes = at(d, tile)
            if kind == CAP:
                flat = at(own, places[i] + tile)
                if learns:
                    capped[i] += product_of_tiles(changes, at(flat, KEYS * ROW), ROW, far - near)
                slope(changes, flat, ROW, far - near)
            elif kind == BY_PAIR:
                to_row = links[link + GROWN + 4]
                to = part_at(links, link + GROWN, b, h, piece)
                add_turned(
                    at(to, (q0 + here) * to_row + near), to_row, changes, ROW, far - near, left,
                    room,
                )  # fmt: skip
            else:
                last, sheared = reached[here // COLUMNS], _sheared(own, places[i], here)
                if last >= 0 and last != near:
                    _add_changes(links, link, b, h, piece, q0, here, last, q_len, left, own,
                                 places[i], at(sheared, KEYS), COLUMNS)  # fmt: skip
                turn_distances(sheared, changes, ROW, far - near, last == near)
                whole = KEYS if far - near == KEYS else DISTANCES
                _add_changes(links, link, b, h, piece, q0, here, near, q_len, left, own,
                             places[i], sheared, whole)  # fmt: skip


@in_loops
def leave(links, numbers, count, b, h, piece, q0, queries, q_len, reached, own, places):  # type: ignore[no-untyped-def]
    """What is left of changes by distance, and the gradients of a block's vectors for them."""
    for i in range(count):
        link = i * RECORD
        if links[link + KIND] == BY_VECTORS:
            for here in range(0, queries, COLUMNS):
                last = reached[here // COLUMNS]
                if last >= 0:
                    _add_changes(links, link, b, h, piece, q0, here, last, q_len, queries - here,
                                 own, places[i], at(_sheared(own, places[i], here), KEYS),
                                 COLUMNS)  # fmt: skip
            depth, to_row = links[link + DEPTH], links[link + GROWN + 4]
            wide = wide_of(depth)
            to = at(read_at(links, link + GROWN, b, h), q0 * to_row)
            grown = at(own, places[i] + 2 * _NEARBY + QUERIES * wide)
            for j in range(queries):
                for d in range(depth):
                    to[j * to_row + d] = grown[j * wide + d] * numbers[2 * i + 1]


@in_loops
def _sheared(own, place, here):  # type: ignore[no-untyped-def]
    """Where a panel's changes lie by distance."""
    return at(own, place + _NEARBY + here * DISTANCES)


@in_loops
def _add_changes(  # type: ignore[no-untyped-def]
    links, link, b, h, piece, q0, here, key, q_len, left, own, place, x, count
):  # fmt: skip
    """Add changes by distance, from a key on, to the gradients of both vectors."""
    wide = wide_of(links[link + DEPTH])
    column = first_distance(q0 + here, key, q_len) * wide
    mine = at(own, place + 2 * _NEARBY + here * wide)
    multiply_changes(
        at(mine, QUERIES * wide), at(part_at(links, link + OF_ROWS, b, h, piece), column), x, count,
        left, mine, at(read_at(links, link + ROWS, b, h), column), wide,
    )  # fmt: skip
