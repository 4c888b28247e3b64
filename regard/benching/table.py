"""What was measured as a reader wants it: a table, what is to be known of it, and the machine."""

from io import StringIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from regard._printable import printable
from regard.benching.bench import Bench
from regard.benching.measuring import Row

TIMES = (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6))
SIZES = (("GB", 1e9), ("MB", 1e6), ("kB", 1e3))
NOTHING = "–"


def as_text(found: Bench, width: int = 160) -> str:
    """The table and what stands below it, as plain text."""
    console = Console(file=StringIO(), width=width, highlight=False)
    show(found, console)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text.rstrip()


def show(found: Bench, console: Console) -> None:
    """Print the table, the reasons of what is not in it, and what it was measured on."""
    measured = [row for row in found.rows if row.seconds is not None]
    if measured:
        console.print(_table(measured))
    for line in remarks(found):
        console.print(Text(printable(line)), soft_wrap=True)


def remarks(found: Bench) -> list[str]:
    """Why rows are missing, each reason once, then the machine, the sizes and the floor."""
    reasons: dict[tuple[str, str], list[Row]] = {}
    for row in found.rows:
        if row.fault:
            # What differs by length stands in parentheses; the first one speaks for all.
            reasons.setdefault((row.mechanism, row.fault.partition("(")[0]), []).append(row)
    said = []
    for (mechanism, _), rows in reasons.items():
        lengths = ", ".join(f"{length:,}" for length in dict.fromkeys(row.length for row in rows))
        said.append(f"{mechanism} at {lengths}: {rows[0].fault}")
    m, s = found.machine, found.sizes
    alone = m["threads"] == 1 and s["device"] == "cpu"
    of_keys = f", {s['kv_heads']} of keys" if s["kv_heads"] else ""
    queries = f", {s['queries']} queries" if s["queries"] else ""
    if not alone and s["device"] == "cpu" and (m["load"] or 0) > (m["cores"] or 1):
        said.append(
            f"the machine is busy: load {m['load']:.1f} on {m['cores']} cores, which these times "
            "hold too; --threads 1 is measured by its own clock"
        )
    load = "" if m["load"] is None else f", load {m['load']:.1f}"
    threads = ", one thread by its own clock" if alone else f", {m['threads']} threads"
    return [
        *said,
        f"{s['dtype']} on {s['device']}, batch {s['batch']}, {s['heads']} heads{of_keys} of width "
        f"{s['width']}{queries}; {m['processor']}{threads}{load}, PyTorch {m['torch']}",
        f"floor: the permitted pairs at {found.limits['flops'] / 1e9:.3g} GFLOP/s (a large matrix "
        f"product here), or each tensor moved once at {found.limits['bytes'] / 1e9:.3g} GB/s (a "
        "large copy here)",
    ]


def _table(rows: list[Row]) -> Table:
    passes = list(dict.fromkeys(row.passed for row in rows))
    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    drawn.add_column("length", justify="right")
    drawn.add_column("mechanism", overflow="fold")
    if len(passes) > 1:
        drawn.add_column("pass", no_wrap=True)
    drawn.add_column("kernel", no_wrap=True)
    for name in ("time", "against", "× floor", "peak", "error", "× naive"):
        drawn.add_column(name, justify="right", no_wrap=True)
    before: Row | None = None
    for row in rows:
        if before is not None and before.length != row.length:
            drawn.add_row()
        again = before is not None and before.length == row.length
        same = again and before is not None and before.mechanism == row.mechanism
        cells = ["" if again else f"{row.length:,}", "" if same else row.mechanism]
        cells += [row.passed.replace("forward + ", "+ ")] if len(passes) > 1 else []
        cells += [row.backend or NOTHING, with_unit(row.seconds, TIMES), _against(row)]
        cells += [_times(_over_floor(row)), with_unit(row.peak_bytes, SIZES)]
        cells += [_error(row.error), _times(row.of_naive)]
        drawn.add_row(*(Text(printable(cell)) for cell in cells))
        before = row
    return drawn


def with_unit(value: float | None, units: tuple[tuple[str, float], ...]) -> str:
    """A number with three digits and the largest unit that it has one of.

    >>> with_unit(0.00125, TIMES), with_unit(34_000_000, SIZES), with_unit(None, SIZES)
    ('1.25 ms', '34.0 MB', '–')
    """
    if value is None:
        return NOTHING
    name, size = next((unit for unit in units if value >= unit[1]), units[-1])
    return f"{_digits(value / size)} {name}"


def _digits(value: float) -> str:
    """Three digits, and no exponent.

    >>> [_digits(value) for value in (0.0, 0.125, 3.14159, 41.26, 1234.5)]
    ['0', '0.12', '3.14', '41.3', '1,234']
    """
    decimals = 0 if value >= 100 or value == 0 else 1 if value >= 10 else 2
    return f"{value:,.{decimals}f}"


def _against(row: Row) -> str:
    return NOTHING if row.ratio is None else f"{_digits(row.ratio)}× {row.rival}"


def _over_floor(row: Row) -> float | None:
    if row.seconds is None or not row.floor_seconds:
        return None
    return row.seconds / row.floor_seconds


def _times(value: float | None) -> str:
    return NOTHING if value is None else f"{_digits(value)}×"


def _error(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1e}" if value else "0"
