"""The order of rows and their bytes, whatever is done with them."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from smartcam.data import Message
from smartcam.owed import KINDS, Entry, Ledger
from smartcam.owed.ledger import SMALL_BYTES, TRIES_BEGUN, WORTH

KB = 1024

messages = st.builds(
    lambda worth, length, file_bytes, retained, follows: Message(
        f"t{retained}",
        bytes(length),
        worth[0],
        weight=worth[1],
        retain=retained > 0 and not file_bytes,
        file="f" if file_bytes else "",
        file_bytes=file_bytes,
        then=Message("word", b"there", worth[0], weight=worth[1]) if follows else None,
    ),
    st.sampled_from(WORTH),
    st.integers(0, 300),
    st.sampled_from([0, 0, 0, 5_000, 40_000]),
    st.integers(0, 2),
    st.booleans(),
)
steps = st.one_of(
    st.tuples(st.just("reserve"), messages),
    st.tuples(st.just("push"), st.integers(0, 5)),
    st.tuples(st.just("pop"), st.sampled_from([4 * KB, 16 * KB, 64 * KB])),
    st.tuples(st.sampled_from(["done", "refuse", "give up", "release", "blame"]), st.integers(0, 5)),
    st.tuples(st.just("shed"), st.integers(0, 50_000)),
)


class Account:
    """Every entry that a ledger was given, and what became of it."""

    def __init__(self) -> None:
        self.ledger = Ledger(60_000)
        self.reserved: list[Entry] = []
        """Not pushed yet."""
        self.waiting: dict[int, Entry] = {}
        self.out: dict[int, Entry] = {}
        self.refused: dict[int, Entry] = {}
        self.dropped: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.last_id = 0

    def do(self, step: str, value: Any) -> None:
        if step == "reserve":
            self.reserve(value)
        elif step == "push" and self.reserved:
            entry = self.reserved.pop(value % len(self.reserved))
            self.ledger.push(entry)
            self.waiting[entry.id] = entry
        elif step == "pop":
            self.pop(value)
        elif step == "shed":
            for entry in self.ledger.shed(value):
                self.goes(entry)
        elif step in ("done", "refuse", "give up", "release", "blame") and self.out:
            self.answer(step, list(self.out.values())[value % len(self.out)])

    def reserve(self, message: Message) -> None:
        entry = Entry.of(self.last_id + 1, message)
        self.last_id = entry.ids[-1]
        dropped = self.ledger.reserve(entry)
        if dropped is None:
            self.dropped[entry.kind] += 1
            return
        for old in dropped:
            self.goes(old)
        self.reserved.append(entry)

    def goes(self, entry: Entry) -> None:
        """For a newer state it is not counted."""
        if self.refused.pop(entry.id, None):
            return
        del self.waiting[entry.id]
        self.dropped[entry.kind] += self.ledger.dropped[entry.kind] > self.dropped[entry.kind]

    def pop(self, part_bytes: int) -> None:
        before = dict(self.waiting)
        entry = self.ledger.pop(KINDS, part_bytes, part_bytes)
        file_is_out = any(each.file_bytes for each in self.out.values())
        free = [each for each in before.values() if not (file_is_out and each.file_bytes)]
        if entry is None:
            heads = [min((e for e in before.values() if e.kind == kind), key=rank, default=None) for kind in KINDS]
            assert all(head is None or (file_is_out and head.file_bytes) for head in heads)
            return
        was = self.waiting.pop(entry.id)
        assert was in free
        assert was == min((each for each in before.values() if each.kind == entry.kind), key=rank)
        assert entry.part_bytes <= max(part_bytes, was.part_bytes if was.tries < TRIES_BEGUN else SMALL_BYTES) or (
            not entry.file_bytes
        )
        self.out[entry.id] = entry

    def answer(self, step: str, entry: Entry) -> None:
        del self.out[entry.id]
        if step == "done":
            done = self.ledger.done(entry.id)
            assert done
            if done.parts_sent < done.parts:
                self.waiting[done.id] = done
            elif entry.then:
                [then] = [each for each in rows_of(self.ledger) if each.id == entry.then.id]
                self.waiting[then.id] = then
        elif step in ("release", "blame"):
            released = self.ledger.release(entry.id, blamed=step == "blame")
            assert released
            self.waiting[released.id] = released
        else:
            assert self.ledger.refuse(entry.id, keep=step == "refuse") == entry
            self.failed[entry.kind] += 1
            if step == "refuse":
                self.refused[entry.id] = entry


def rank(entry: Entry) -> tuple[bool, int]:
    """What follows something goes first, and else the oldest."""
    return not entry.follows, entry.id


def rows_of(ledger: Ledger) -> list[Entry]:
    lines = [*ledger._waiting.values(), *ledger._following.values(), *ledger._refused.values()]
    return [*(entry for line in lines for entry in line.rows), *ledger._in_flight.values()]


@settings(max_examples=300, deadline=None)
@given(st.lists(steps, max_size=60))
def test_bytes_are_those_of_the_rows_the_order_holds_and_nothing_goes_uncounted(taken: list[tuple[str, Any]]) -> None:
    account = Account()
    ledger = account.ledger
    for step, value in taken:
        account.do(step, value)
        rows = rows_of(ledger)
        assert {row.id for row in rows} == {*account.waiting, *account.out, *account.refused}
        assert all(row.bytes >= 0 for row in rows)
        assert ledger.bytes == sum(row.bytes for row in (*rows, *account.reserved))
        for line in (*ledger._waiting.values(), *ledger._following.values(), *ledger._refused.values()):
            assert line.bytes == sum(row.bytes for row in line.rows)
        assert ledger.depth() == len(account.waiting) + len(account.out)
        assert sum(count for count, _ in ledger.refused.values()) == len(account.refused)
        assert Counter(ledger.dropped) == account.dropped
        assert Counter(ledger.failed) == account.failed


def file(tries: int = 0, *, part_bytes: int = 0, parts_sent: int = 0) -> Entry:
    left = 10**6 - part_bytes * parts_sent
    return Entry(1, "clip", "full", left, "", tries, file_bytes=10**6, part_bytes=part_bytes, parts_sent=parts_sent)


def test_parts_grow_smaller_with_the_tries_down_to_8_kib() -> None:
    sizes = [file(tries).cut(0, 256 * KB).part_bytes // KB for tries in (0, 2, 3, 6, 9, 12, 15, 18, 99)]
    assert sizes == [256, 256, 128, 64, 32, 16, 8, 8, 8]
    assert file(99).cut(0, 1000).part_bytes == 1000


def test_a_file_that_is_begun_goes_on_as_it_began_until_that_is_too_large_or_was_tried_too_often() -> None:
    begun = file(part_bytes=256 * KB, parts_sent=2)
    assert begun.cut(0, 300 * KB) == begun
    assert begun._replace(tries=TRIES_BEGUN - 1).cut(0, 256 * KB).parts_sent == 2
    for anew in (begun.cut(10**7, 20 * KB), begun._replace(tries=TRIES_BEGUN).cut(10**7, 256 * KB)):
        assert (anew.parts_sent, anew.bytes) == (0, 10**6)
        assert anew.part_bytes in (20 * KB, 16 * KB)
    smaller = file(part_bytes=16 * KB, parts_sent=1)
    assert smaller.cut(0, 256 * KB) == smaller
