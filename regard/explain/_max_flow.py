"""The maximum flow through a stack of layers, from a node at the top to one at the bottom."""

import numpy as np
from jaxtyping import Float

TINY = 1e-12
"""The threshold below which a flow counts as zero; capacities are at most one."""

Numbers = np.ndarray


def max_flow(capacity: Float[Numbers, "layers above below"], source: int, target: int) -> float:
    """The maximum flow from `source`, above the last layer, to `target`, below the first.

    `capacity[l, i, j]` is that of the edge from node i above layer l to node j below it. Push–
    relabel (Goldberg & Tarjan, 1988): flow that reaches a node waits there as its excess and moves
    on to nodes one step closer to the target, possibly back up an edge that has a flow; when
    nothing can move, distances are recomputed. Exact up to rounding.

    >>> max_flow(np.array([[[0.75, 0.25], [0.5, 0.5]], [[0.9, 0.1], [0.5, 0.5]]]), 1, 0)
    1.0
    """
    graph = _Graph(capacity, source)
    most = min(float(capacity[-1, source].sum()), float(capacity[0, :, target].sum()))
    while graph.excess[0, target] < most - TINY:
        height = graph.distances(target)
        waiting = (graph.excess > TINY) & np.isfinite(height) & (height > 0)
        if not waiting.any():
            break
        for distance in range(int(height[waiting].max()), 0, -1):
            graph.push(height, distance)
    return float(graph.excess[0, target])


class _Graph:
    """What edges still take, down and (where there is a flow) up, and what waits at each node.

    Nodes stand on floors: those below the first layer on floor 0. `down[l, i, j]` is of the edge
    from node i of floor l to node j of floor l - 1, `up[l, j, i]` of that from j to i of l + 1.
    """

    def __init__(self, capacity: Numbers, source: int) -> None:
        layers, above, below = capacity.shape
        size = max(above, below)
        self.down = np.zeros((layers + 1, size, size))
        self.down[1:, :above, :below] = capacity
        self.up = np.zeros_like(self.down)
        self.excess = np.zeros((layers + 1, size))
        # The source is filled to the brim, and nothing else of its floor has anything.
        self.excess[-2] = self.down[-1, source]
        self.down[-1] = 0.0

    def distances(self, target: int) -> Numbers:
        """Steps from each node to the target along edges that still take something; or infinity."""
        height = np.full(self.excess.shape, np.inf)
        height[0, target] = 0.0
        falls, climbs = self.down > TINY, self.up > TINY
        while True:
            before = height.copy()
            for floor in range(1, len(height)):
                beyond = np.where(falls[floor], height[floor - 1], np.inf).min(1) + 1
                np.minimum(height[floor], beyond, out=height[floor])
            for floor in range(len(height) - 2, -1, -1):
                beyond = np.where(climbs[floor], height[floor + 1], np.inf).min(1) + 1
                np.minimum(height[floor], beyond, out=height[floor])
            if np.array_equal(height, before):
                return height

    def push(self, height: Numbers, distance: int) -> None:
        """Send on what waits at this distance from the target, each edge up to what it takes."""
        floor, node = np.nonzero((height == distance) & (self.excess > TINY))
        if not len(floor):
            return
        size, top = height.shape[1], len(height) - 1
        over = np.minimum(floor + 1, top)
        falls = np.where(height[floor - 1] == distance - 1, self.down[floor, node], 0.0)
        climbs = np.where(height[over] == distance - 1, self.up[floor, node], 0.0)
        room = np.concatenate([falls, climbs], axis=1)
        room[room <= TINY] = 0.0
        before = np.cumsum(room, axis=1) - room
        sent = np.clip(self.excess[floor, node][:, None] - before, 0.0, room)
        self.excess[floor, node] -= sent.sum(1)
        fallen, climbed = sent[:, :size], sent[:, size:]
        self.down[floor, node] -= fallen
        self.up[floor - 1, :, node] += fallen
        self.up[floor, node] -= climbed
        self.down[over, :, node] += climbed
        np.add.at(self.excess, floor - 1, fallen)
        np.add.at(self.excess, over, climbed)
