"""One sequence on many processes: each holds some of its queries, keys and values.

`context_parallel` attends as if all of them were in one place. `zig_zag` assigns positions to a
rank so that a causal mask gives all ranks the same work; `shard` and `unshard` split and gather.
"""

from regard.context.parallel import context_parallel
from regard.context.spans import shard, unshard, zig_zag

__all__ = ["context_parallel", "shard", "unshard", "zig_zag"]
