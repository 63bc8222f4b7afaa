"""Overrides: settings made in code, and blocks that undo them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tinytorch_core import hookimpl, plugins, registry


class Empty:
    @hookimpl
    def tinytorch_configure(self, config: Any) -> None:
        pass


@pytest.fixture(autouse=True)
def _two_plugins() -> Iterator[None]:
    with plugins.only():
        for name in ("a", "b"):
            plugins.register(Empty(), name=name)
        yield
        for name in ("a", "b"):
            plugins.unregister(name)


def test_blocks_nest() -> None:
    with plugins.only("a"):
        with plugins.enable("b"):
            with plugins.disabled():
                assert plugins.active() == ()
            assert plugins.active() == ("a", "b")
        assert plugins.active() == ("a",)
    assert plugins.active() == ("a", "b")


def test_disabled_takes_names() -> None:
    with plugins.disabled("a"):
        assert plugins.active() == ("b",)
    assert plugins.active() == ("a", "b")


def test_a_block_undoes_changes_made_inside() -> None:
    with plugins.only("a"):
        plugins.disable("a")
        plugins.enable("b")
        plugins.enable("b")
    assert plugins.active() == ("a", "b")


def test_a_block_keeps_changes_made_before() -> None:
    plugins.disable("a")
    with plugins.disable("a"):
        plugins.disable("a")
    assert plugins.active() == ("b",)
    plugins.enable("a")
    assert plugins.active() == ("a", "b")


def test_blocks_of_two_threads_may_overlap() -> None:
    begun, end = threading.Event(), threading.Event()
    seen = []

    def other() -> None:
        with plugins.disable("b"):
            plugins.disable("b")
            begun.set()
            end.wait()
            seen.append(plugins.active())
        seen.append(plugins.active())

    thread = threading.Thread(target=other)
    with plugins.disable("a"):
        thread.start()
        begun.wait()
        assert plugins.active() == ()
    # This block has ended, that of the other thread has not.
    assert plugins.active() == ("a",)
    end.set()
    thread.join()
    assert seen == [("a",), ("a", "b")]


def test_toggling_again_and_again_takes_no_more_memory() -> None:
    with plugins.only("a"):
        for _ in range(50):
            plugins.disable("a")
            plugins.only("b")
            plugins.enable("a")
        assert plugins.active() == ("a", "b")
        assert len(registry.overrides) < 10


@pytest.mark.parametrize("threads", [1, 4])
def test_a_thousand_toggles_of_different_plugins_leave_a_bounded_number_of_overrides(
    threads: int,
) -> None:
    names = ["c", "d", "e"]
    layers: list[int] = []

    def toggle() -> None:
        for i in range(1000 // threads):
            name = names[i % 3]
            change = plugins.disable if i // 3 % 2 else plugins.enable
            change(name)
            plugins.configure(name, size=i % 2)
            with plugins.disable("a"):
                pass
            layers.append(len(registry.overrides))

    for name in names:
        plugins.register(Empty(), name=name)
    try:
        begin = len(registry.overrides)
        workers = [threading.Thread(target=toggle) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        # Each thread has at most one choice and one setting for each plugin, before and after
        # each block of another thread.
        each = 2 * len(names) + 1
        assert max(layers) <= begin + threads * (threads + 1) * each
        assert len(layers) == 1000 // threads * threads
    finally:
        for name in names:
            plugins.unregister(name)


def test_settings_of_an_unregistered_plugin_are_forgotten() -> None:
    seen = []

    class Recorder:
        @hookimpl
        def tinytorch_configure(self, config: Any) -> None:
            seen.append(dict(config))

    for _ in range(2):
        plugins.register(Recorder(), name="c")
        plugins.configure("c", size=3)
        plugins.unregister("c")
    assert seen == [{}, {"size": 3}] * 2


def test_a_block_that_is_entered_again_undoes_nothing_more() -> None:
    change = plugins.disable("a")
    assert repr(change) == "<disabled a; a `with` block undoes it on exit>"
    with change:
        pass
    plugins.disable("b")
    with change:
        pass
    assert plugins.active() == ("a",)
