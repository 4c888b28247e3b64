"""Whatever the system refuses, at whatever moment, is one sentence about a file of the user's."""

import errno
import re
from pathlib import Path

import pytest

from regard._io.faults import WAYS_OUT
from tests.training.marks import slow
from tests.training.test_faults import sentences
from tests.training.test_faults_anywhere import SHORT
from tests.training.warm import Warm, write_pairs

ERRORS = {
    errno.ENOSPC: "No space left on device",
    errno.EDQUOT: "Disk quota exceeded",
    errno.EFBIG: "File too large",
    errno.EROFS: "Read-only file system",
    errno.EACCES: "Permission denied",
    errno.EMFILE: "Too many open files",
}
RAW = re.compile(r"Traceback|Errno|\.tmp|\.encoding-|\.reading|\.best-|\.regard")


@pytest.mark.parametrize(
    ("code", "moments"),
    [
        (errno.ENOSPC, [8]),
        *(slow(code, range(0, 130, 20)) for code in ERRORS),
    ],
)
def test_what_the_system_refuses_is_said_of_a_file_that_the_user_knows(
    warm: Warm, tmp_path: Path, code: int, moments: list[int]
) -> None:
    refused = 0
    for moment in moments:
        folder = tmp_path / str(moment)
        folder.mkdir()
        write_pairs(folder)
        status, said = warm.train(folder, *SHORT, fail_from=[moment, code])
        if status:
            (sentence,) = sentences(said)
            assert status in (1, 2) and not RAW.search(said), (moment, said)
            assert ERRORS[code] in sentence and re.search(r"\brun\b|\.data\b", sentence), sentence
            refused += 1
        again, said = warm.train(folder, *SHORT)
        assert again == 0, (moment, said)
    assert refused > len(moments) // 2
    assert code in WAYS_OUT
