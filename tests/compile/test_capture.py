"""A tap that nobody listens to costs a compiled graph one guard, and no break."""

import torch

import regard


def test_the_operator_is_one_graph_before_and_after_a_capture() -> None:
    torch._dynamo.reset()
    x = torch.randn(2, 4, 16, 8)

    def call(x: torch.Tensor) -> torch.Tensor:
        return regard.attention(x, x, x)

    compiled = torch.compile(call, fullgraph=True, backend="eager")
    wanted = call(x)
    torch.testing.assert_close(compiled(x), wanted)
    with regard.capture() as maps:
        torch.testing.assert_close(compiled(x), wanted)
    assert len(maps) == 1
    with torch.compiler.set_stance("fail_on_recompile"):
        torch.testing.assert_close(compiled(x), wanted)
