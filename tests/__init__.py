"""What checks annotations while tests run: as mypy reads them, a whole number is a float, too."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
