"""Sizes measured without the walk through all modules are Beam's (runners.beam.cache_sizes)."""

import functools
import sys
import weakref

import numpy as np
import pytest
from apache_beam.runners.worker import statecache

from runners.beam import cache_sizes


class Thing:
    def __init__(self, *held):
        self.held = held


class Sized(statecache.CacheAware):
    def get_referents_for_cache(self):
        return ["a" * 100]


@pytest.fixture
def original(monkeypatch):
    """Beam's own, whoever replaced it before; and again after the test."""
    found = statecache.get_deep_size
    original = getattr(found, "replaces", found)
    monkeypatch.setattr(statecache, "get_deep_size", original)
    return original


SHARED = Thing(1, "x")
OBJECTS = {
    "none": None,
    "text": "abc",
    "nested": {"a": [1, (2.5, b"x"), {"b": None}]},
    "shared": [SHARED, SHARED],
    "thing": Thing(Thing("deep"), [1, 2, 3]),
    "array": np.arange(1000),
    "globals": {"own": globals(), "others": vars(sys), "__name__": "sys"},
    "unhashable name": {"__name__": ["a"]},
    "function": [len, functools.partial(sorted, key=len), lambda x: x],
    "module": [sys, np],
    "weak": [weakref.ref(SHARED), weakref.proxy(SHARED)],
    "of its own": Sized(),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_sizes_are_those_of_beam(name, original):
    cache_sizes.measure_without_modules()
    assert statecache.get_deep_size.replaces is original
    assert statecache.get_deep_size(OBJECTS[name]) == original(OBJECTS[name])
    assert statecache.get_deep_size(OBJECTS[name], SHARED) == original(OBJECTS[name], SHARED)


def test_no_module_is_looked_at(original, monkeypatch):
    cache_sizes.measure_without_modules()
    walked = []
    monkeypatch.setattr("objsize.traverse._iter_modules_globals", lambda: walked.append(1) or [])
    statecache.get_deep_size([1])
    assert not walked
    original([1])
    assert walked


def test_what_is_not_as_expected_stays_as_it_is(monkeypatch):
    def get_deep_size(*objs):
        return 7

    monkeypatch.setattr(statecache, "get_deep_size", get_deep_size)
    cache_sizes.measure_without_modules()
    assert statecache.get_deep_size is get_deep_size
    monkeypatch.delattr(statecache, "_filter_func")
    cache_sizes.measure_without_modules()
    assert statecache.get_deep_size is get_deep_size
