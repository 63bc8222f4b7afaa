"""Large graphs are hidden from the garbage collector while they live, and from nothing else.

`test_collector.py` runs these tests in a new process.
"""

import gc
import sys
import threading
import weakref

import numpy as np
import pytest

from tinytorch_core import Tensor


@pytest.fixture(autouse=True)
def nothing_is_frozen():
    gc.collect()
    assert gc.get_freeze_count() == 0
    yield
    gc.unfreeze()


def chain(length):
    h = x = Tensor(np.ones(2), requires_grad=True)
    for _ in range(length):
        h = h * x
    return h


class Cycle:
    def __init__(self):
        self.itself = self


def test_a_large_graph_is_frozen_until_it_is_freed():
    h = chain(20_000)
    gc.collect()
    assert gc.get_freeze_count() > 20_000
    del h
    assert gc.get_freeze_count() == 0


def test_a_backward_pass_ends_it_too():
    h = chain(20_000)
    gc.collect()
    h.sum().backward()
    del h
    assert gc.get_freeze_count() == 0


def test_a_growing_graph_stays_frozen_and_garbage_is_still_collected():
    h = chain(20_000)
    gc.collect()
    cycle = weakref.ref(Cycle())
    longer = h * 2
    for _ in range(20_000):
        longer = longer * 1.0
    gc.collect()
    assert cycle() is None
    assert gc.get_freeze_count() > 40_000
    del h, longer
    assert gc.get_freeze_count() == 0


def test_garbage_among_frozen_objects_is_collected_after_the_graph():
    cycle = Cycle()
    gone = weakref.ref(cycle)
    h = chain(20_000)
    gc.collect()
    del cycle
    gc.collect()
    del h
    gc.collect()
    assert gone() is None


def test_a_small_graph_is_not_frozen():
    h = chain(100)
    gc.collect()
    assert gc.get_freeze_count() == 0
    del h


def test_what_the_program_has_frozen_stays_frozen():
    gc.freeze()
    count = gc.get_freeze_count()
    h = chain(20_000)
    gc.collect()
    del h
    assert gc.get_freeze_count() >= count * 0.9


def test_a_weak_proxy_of_an_object_that_no_longer_exists_does_not_matter():
    h = chain(20_000)
    cycle = Cycle()
    proxy = weakref.proxy(cycle)
    cycle.itself = None
    del cycle
    gc.collect()
    assert gc.get_freeze_count() > 20_000
    del h, proxy


def test_other_threads_build_tuples_while_nodes_are_looked_for():
    stopped = threading.Event()
    errors = []

    def build():
        while not stopped.is_set():
            try:
                tuple(x for x in range(100))
            except SystemError as error:
                errors.append(error)

    thread = threading.Thread(target=build)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread.start()
    try:
        gc.disable()
        for _ in range(5):
            h = chain(10_000)
            others = [[] for _ in range(10_000)]
            gc.collect()
            assert gc.get_freeze_count() > 10_000
            del h, others
    finally:
        gc.enable()
        stopped.set()
        thread.join()
        sys.setswitchinterval(interval)
    assert not errors
