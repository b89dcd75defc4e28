from __future__ import annotations

import os

import numpy as np

from smartcam.detect import slots
from smartcam.detect.layouts import TensorInfo

PICTURE = TensorInfo("picture", (1, 3, 3, 3), "uint8")
OUTPUTS = [TensorInfo("boxes", (1, 5, 4), "float32"), TensorInfo("ids", (1, 5), "int8")]


def test_what_one_side_writes_the_other_reads_and_nothing_overlaps() -> None:
    descriptor = slots.create(PICTURE, OUTPUTS)
    ours, theirs = slots.attach(descriptor, PICTURE, OUTPUTS), slots.attach(descriptor, PICTURE, OUTPUTS)
    os.close(descriptor)

    for number, slot in enumerate(ours):
        for place, view in enumerate([slot.picture, *slot.outputs]):
            view[:] = 10 * number + place

    assert len(theirs) == slots.SLOTS
    for number, slot in enumerate(theirs):
        for place, view in enumerate([slot.picture, *slot.outputs]):
            assert (view == 10 * number + place).all()


def test_views_are_shaped_typed_and_aligned_like_the_tensors() -> None:
    descriptor = slots.create(PICTURE, OUTPUTS)
    first, second = slots.attach(descriptor, PICTURE, OUTPUTS)
    os.close(descriptor)

    assert first.picture.shape == (1, 3, 3, 3)
    assert [output.dtype for output in second.outputs] == [np.float32, np.int8]
    views = [first.picture, *first.outputs, second.picture, *second.outputs]
    assert all(view.ctypes.data % slots.ALIGNMENT == 0 for view in views)


def test_the_memory_goes_with_its_last_user() -> None:
    """No name in /dev/shm is left behind by a daemon that was killed."""
    before = set(os.listdir("/dev/shm"))  # noqa: PTH208 - names are all that matters
    descriptor = slots.create(PICTURE, OUTPUTS)

    assert set(os.listdir("/dev/shm")) == before  # noqa: PTH208
    os.close(descriptor)
