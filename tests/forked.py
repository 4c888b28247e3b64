"""What PyTorch imports only when it is needed: every fork of a process would do it again."""


def import_all() -> None:
    """Call it before the first fork: each fork that trains or compares saves a second or two."""
    import einops
    import numpy.ctypeslib  # noqa: F401  # what PyTorch makes of an array
    import torch._dynamo  # noqa: F401  # every optimizer
    import torch.distributed.tensor  # noqa: F401  # `torch.testing.assert_close`
    import torch.fx.experimental.symbolic_shapes  # noqa: F401  # `torch.autograd.grad`

    einops.rearrange(torch.zeros(1), "one -> one")  # asks itself which libraries there are
