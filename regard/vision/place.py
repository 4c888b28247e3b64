"""A place in a network that has a block: plain data."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Place:
    """A block that a network has, or is to have, after or before one of its modules.

    Args:
        module: its name in the network, as in `named_modules`.
        where: "after" or "before".
        name: the block's name as a child of the module.
        block: as `regard.vision.block` takes it.
        channels: of the feature maps there.
        identity_start: whether the block is wrapped in `FromIdentity`.
        norm: the batch norm that reads the module's output, and with which it could be fused.

    >>> Place(module="layer1.0.conv2", name="se", block="se(reduction=8)", channels=64).key
    'layer1.0.conv2.se'
    """

    module: str
    where: str = "after"
    name: str
    block: str
    channels: int
    identity_start: bool = False
    norm: str | None = None

    @property
    def key(self) -> str:
        """The name of the block in the network."""
        return f"{self.module}.{self.name}" if self.module else self.name

    @property
    def is_behind(self) -> bool:
        """Whether the block reads the module's output rather than its input."""
        return self.where == "after"
