"""The errors a caller may want to catch; any other wrong call is a plain ValueError or TypeError.

Exception
└── RegardError
    ├── UsageError (also ValueError)             a call that asks for something that does not exist
    ├── UnsupportedByBackend (also ValueError)   no backend, or not the named one, serves the call
    └── CheckpointMismatch (also ValueError)     a file's tensors are not those of the model
"""

from collections.abc import Iterable, Mapping, Sequence

from regard._printable import shortened, shown

MOST_NAMED = 10
"""How many tensors of each kind a message lists."""


class RegardError(Exception):
    """Base class of regard's own errors.

    >>> from regard.errors import CheckpointMismatch, RegardError
    >>> issubclass(CheckpointMismatch, RegardError)
    True
    """


class UsageError(RegardError, ValueError):
    """A mistaken call: one sentence says what is wrong and what to write instead.

    >>> from regard.errors import UsageError
    >>> issubclass(UsageError, ValueError)
    True
    """


class UnsupportedByBackend(RegardError, ValueError):
    """A call that the named backend, or every backend, cannot serve; `reasons` says why.

    >>> from regard.errors import UnsupportedByBackend
    >>> print(UnsupportedByBackend("sdpa", {"sdpa": ["the normalizer is not softmax"]}))
    backend 'sdpa' cannot serve this call: the normalizer is not softmax; use backend=None.
    """

    def __init__(self, backend: str | None, reasons: Mapping[str, list[str]]) -> None:
        self.backend = backend
        self.reasons = {name: list(why) for name, why in reasons.items()}
        named = self.reasons.get(backend, []) if backend is not None else []
        if backend is not None:
            why = "; ".join(named) or "no reason was given"
            text = f"backend {backend!r} cannot serve this call: {why}; use backend=None."
            others = {name: why for name, why in self.reasons.items() if name != backend}
        else:
            text, others = "no backend can serve this call.", self.reasons
        lines = [f"  {name}: {'; '.join(why)}" for name, why in others.items()]
        super().__init__("\n".join([text, *lines]))

    def __reduce__(self) -> tuple[type, tuple[str | None, dict[str, list[str]]]]:
        """Cross a process boundary whole."""
        return type(self), (self.backend, self.reasons)


class CheckpointMismatch(RegardError, ValueError):
    """A checkpoint whose tensors do not match the model's, with all mismatches at once.

    Its attributes list all of them, its message the first few of each kind.

    Args:
        missing: names in the model but not in the file.
        unexpected: names in the file but not in the model.
        wrong_shaped: name → (shape in the file, shape in the model).
        where: the file, if known.

    >>> from regard.errors import CheckpointMismatch
    >>> print(CheckpointMismatch(missing=["embed.weight"], wrong_shaped={"out.bias": ((3,), (4,))}))
    the checkpoint does not fit the model: 1 missing, 0 unexpected, 1 wrong-shaped.
      missing: embed.weight
      wrong-shaped: out.bias is [3] in the file, [4] in the model
    """

    def __init__(
        self,
        missing: Iterable[str] = (),
        unexpected: Iterable[str] = (),
        wrong_shaped: Mapping[str, tuple[Iterable[int], Iterable[int]]] | None = None,
        where: str | None = None,
    ) -> None:
        self.missing, self.unexpected = sorted(missing), sorted(unexpected)
        self.wrong_shaped = {
            name: (list(found), list(wanted))
            for name, (found, wanted) in sorted((wrong_shaped or {}).items())
        }
        self.where = where
        lines = [
            f"{where or 'the checkpoint'} does not fit the model: {len(self.missing)} missing, "
            f"{len(self.unexpected)} unexpected, {len(self.wrong_shaped)} wrong-shaped."
        ]
        lines += _named("missing", [shortened(name) for name in self.missing])
        lines += _named("unexpected", [shortened(name) for name in self.unexpected])
        lines += _named(
            "wrong-shaped",
            [
                f"{shortened(name)} is {shown(found)} in the file, {shown(wanted)} in the model"
                for name, (found, wanted) in self.wrong_shaped.items()
            ],
        )
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        """Cross a process boundary whole."""
        return type(self), (self.missing, self.unexpected, self.wrong_shaped, self.where)


def _named(word: str, offenders: Sequence[str]) -> list[str]:
    """A line for each of the first offenders, and one that says how many more there are."""
    lines = [f"  {word}: {each}" for each in offenders[:MOST_NAMED]]
    more = len(offenders) - MOST_NAMED
    return [*lines, f"  {word}: {more:,} more"] if more > 0 else lines
