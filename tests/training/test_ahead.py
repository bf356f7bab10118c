"""One item is prepared while the one before is used: never more, and errors come where they belong."""

import threading
from collections.abc import Iterator

import pytest

from hqdata.training.ahead import one_ahead


def test_items_come_in_order() -> None:
    assert list(one_ahead(iter(range(5)))) == [0, 1, 2, 3, 4]
    assert list(one_ahead(iter(()))) == []


def test_the_next_is_made_while_one_is_used_and_no_more() -> None:
    made = [threading.Event() for _ in range(4)]

    def items() -> Iterator[int]:
        for number, event in enumerate(made):
            event.set()
            yield number

    for number in one_ahead(items()):
        if number < 3:
            assert made[number + 1].wait(10), "made without anybody asking"
        assert not any(event.is_set() for event in made[number + 2 :])


def test_an_error_comes_in_its_place() -> None:
    items = one_ahead(10 // number for number in (5, 2, 0))
    assert [next(items), next(items)] == [2, 5]
    with pytest.raises(ZeroDivisionError):
        next(items)
