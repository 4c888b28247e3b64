"""One place of a network with a block: plain data."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Place:
    """A block that a network has, or is to have, behind one of its modules or in front of it.

    Args:
        module: its name in the network, as `named_modules` has it.
        where: "after" or "before".
        name: what the block is called, as a child of the module.
        block: as `regard.vision.block` reads it.
        channels: of the maps there.
        identity_start: whether `FromIdentity` is around the block.
        norm: the batch norm that reads what the module gives, and with which it could be fused.

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
        """Whether the block reads what the module gives, and not what it is given."""
        return self.where == "after"
