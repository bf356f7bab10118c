"""The examples in docstrings say what really happens."""

import doctest
import importlib
import pkgutil

import pytest

import hqdata

MODULES = sorted(item.name for item in pkgutil.walk_packages(hqdata.__path__, "hqdata.") if "__main__" not in item.name)


def examples(name: str) -> list[doctest.DocTest]:
    return [test for test in doctest.DocTestFinder().find(importlib.import_module(name)) if test.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    if name.startswith("hqdata.training."):
        pytest.importorskip("torch")
    for test in examples(name):
        result = doctest.DocTestRunner().run(test)
        assert result.failed == 0, f"{test.name}: {result.failed} of {result.attempted} examples fail"


def test_there_are_examples():
    assert sum(len(examples(name)) for name in MODULES) > 20
