"""A JPEG that is in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smartcam.camera.still import decoded_jpeg, read_picture
from smartcam.errors import SmartcamError
from tests.clips import picture


def test_it_is_read_as_from_a_file(tmp_path: Path) -> None:
    path = picture(tmp_path / "a.jpg", 3)

    assert np.array_equal(decoded_jpeg(path.read_bytes()).rgb(), read_picture(path).rgb())


@pytest.mark.parametrize("data", [b"", b"no picture at all", b"\xff\xd8\xff\xe0\0\x10JFIF"])
def test_what_is_none_is_a_sentence(data: bytes) -> None:
    with pytest.raises(SmartcamError, match="not a JPEG that can be read"):
        decoded_jpeg(data)
