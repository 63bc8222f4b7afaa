"""Overrides: settings made in code, and blocks that undo them."""

from __future__ import annotations

import asyncio
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


def test_toggles_in_threads_that_have_ended_do_not_accumulate() -> None:
    def toggle() -> None:
        plugins.disable("a")
        plugins.enable("a")
        plugins.configure("b", size=1)
        barrier.wait()

    def count() -> int:
        threads = [threading.Thread(target=toggle) for _ in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(registry.overrides)

    barrier, begin = threading.Barrier(5), len(registry.overrides)
    # One choice for each plugin, and the latest one.
    assert max(count() for _ in range(5)) <= begin + 3


def test_toggles_inside_and_outside_of_blocks_of_others_do_not_accumulate() -> None:
    """Blocks of this thread stay open while it and another thread toggle."""
    counts = []

    def toggle() -> None:
        for _ in range(20):
            plugins.only("a")
            with plugins.disable("a"):
                plugins.disable("b")
                plugins.enable("a")
            plugins.configure("b", size=2)

    for _ in range(3):
        with plugins.disable("a"), plugins.enable("b"):
            toggle()
            thread = threading.Thread(target=toggle)
            thread.start()
            thread.join()
            counts.append(len(registry.overrides))
    # Two blocks, and in them and outside of them at most three choices each, and the latest one.
    assert max(counts) <= 2 + 3 + 3 + 1 + 1
    assert plugins.active() == ("a",)


def test_toggles_in_asyncio_tasks_do_not_accumulate() -> None:
    async def toggle() -> None:
        with plugins.disable("a"):
            await asyncio.sleep(0)
            plugins.disable("b")
        plugins.enable("b")

    async def count() -> int:
        await asyncio.gather(*[toggle() for _ in range(5)])
        return len(registry.overrides)

    async def counted() -> list[int]:
        return [await count() for _ in range(5)]

    counts = asyncio.run(counted())
    assert counts[1:] == counts[1:2] * 4
    assert plugins.active() == ("a", "b")


def test_the_end_of_a_block_keeps_the_settings_of_other_tasks() -> None:
    seen = []

    async def outer() -> None:
        with plugins.disable("a"):
            inner = asyncio.create_task(toggle_for_good())  # gets a copy of this task's context
            await asyncio.sleep(0)
            assert plugins.active() == ()
            begun.set()
        seen.append(plugins.active())
        await inner
        seen.append(plugins.active())

    async def toggle_for_good() -> None:
        plugins.disable("b")
        await begun.wait()
        with plugins.enable("b"):
            plugins.disable("a")
            await asyncio.sleep(0)
            assert plugins.active() == ("b",)

    async def run() -> None:
        nonlocal begun
        begun = asyncio.Event()
        await outer()

    begun: Any = None
    asyncio.run(run())
    # The block of `outer` ended, then that of the other task. Its choice outside of it stays.
    assert seen == [("a",), ("a",)]
    assert plugins.active() == ("a",)


def test_a_block_may_end_in_another_task() -> None:
    async def enter() -> Any:
        change = plugins.disable("a").__enter__()
        plugins.disable("b")
        return change

    async def run() -> None:
        change = await asyncio.create_task(enter())
        assert plugins.active() == ()
        change.__exit__(None, None, None)

    asyncio.run(run())
    assert plugins.active() == ("a", "b")


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


def test_a_change_of_another_thread_just_before_a_block_begins_loses_nothing() -> None:
    plugins.disable("a")
    plugins.enable("a")
    change = plugins.disable("a")  # as in a `with` statement, before the block is entered
    thread = threading.Thread(target=plugins.disable, args=("b",))
    thread.start()
    thread.join()
    with change:
        assert plugins.active() == ()
    assert plugins.active() == ("a",)
