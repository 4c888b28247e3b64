"""Networks of pictures in one graph, and as programs for batches of any size."""

import warnings

import pytest
import torch

from tests.tables.models import ROWS, Row

ROWS_OF_PICTURES = {name: row for name, row in ROWS.items() if row.name in ("danet", "ram")}


@pytest.mark.parametrize("row", ROWS_OF_PICTURES.values(), ids=ROWS_OF_PICTURES)
def test_a_network_is_one_graph_and_a_program_for_any_batch(row: Row) -> None:
    model, (images,) = row.made(), row.batch
    wanted = model(images).detach()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(images).detach(), wanted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = {0: torch.export.Dim("batch", min=1, max=64)}
        program = torch.export.export(model, (images,), dynamic_shapes=(sizes,)).module()
    torch.testing.assert_close(program(images[:2]).detach(), wanted[:2])
    torch.testing.assert_close(program(torch.cat([images] * 3))[3:6].detach(), wanted)
