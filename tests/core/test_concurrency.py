"""Who runs, a thread or an asyncio task; and locks that a fork waits for."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from tinytorch_core.extend import current_thread_or_task, fork_safe_lock

forking = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform does not fork"),
    # Python, and JAX where it is installed, warn of a fork in a process with threads.
    pytest.mark.filterwarnings("ignore:.*fork"),
]
FIRST, SECOND = fork_safe_lock(), fork_safe_lock()


def in_thread(function: Callable[[], Any]) -> Any:
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_threads_and_tasks_are_told_apart() -> None:
    async def task() -> list[object]:
        before = current_thread_or_task()
        await asyncio.sleep(0)
        return [before, current_thread_or_task()]

    async def run() -> list[list[object]]:
        return [*await asyncio.gather(task(), task()), [current_thread_or_task()]]

    (first, again), (second, _), (main,) = asyncio.run(run())
    me = current_thread_or_task()
    assert first is again
    assert me is current_thread_or_task()
    assert (
        len({id(who) for who in (first, second, main, me, in_thread(current_thread_or_task))}) == 5
    )


def exit_status(function: Callable[[], bool]) -> int:
    """Return the exit status of a child process: 0 if the function returns true there."""
    child = os.fork()
    if not child:
        status = 1
        try:
            status = not function()
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]


@pytest.mark.parametrize("times", [pytest.param(3, marks=forking)])
def test_a_fork_waits_until_what_a_lock_guards_is_complete(times: int) -> None:
    for _ in range(times):
        held, state = threading.Event(), []

        def change(held: Any = held, state: Any = state) -> None:
            with FIRST:
                held.set()
                time.sleep(0.02)
                state.append("complete")

        thread = threading.Thread(target=change)
        thread.start()
        held.wait()
        # The child can acquire the lock, and so can another thread of the parent afterwards.
        assert exit_status(lambda s=state: s == ["complete"] and FIRST.acquire(timeout=5)) == 0
        thread.join()
        assert in_thread(lambda: FIRST.acquire(timeout=5) and not FIRST.release())


@pytest.mark.parametrize("lock", [pytest.param(FIRST, marks=forking)])
def test_a_thread_that_holds_a_lock_can_fork(lock: Any) -> None:
    with lock:
        assert exit_status(lambda: SECOND.acquire(timeout=5)) == 0
    assert in_thread(lambda: lock.acquire(timeout=5) and not lock.release())


@pytest.mark.parametrize("times", [pytest.param(5, marks=forking)])
def test_threads_may_take_the_locks_in_any_order(times: int) -> None:
    done = threading.Event()

    def take(*locks: Any) -> None:
        while not done.is_set():
            with locks[0]:
                time.sleep(0.001)
                with locks[1]:
                    pass
            time.sleep(0.001)

    # One thread, because two that take the locks in different orders could wait for each other.
    thread = threading.Thread(target=take, args=(SECOND, FIRST))
    thread.start()
    try:
        for _ in range(times):
            assert exit_status(lambda: FIRST.acquire(timeout=5) and SECOND.acquire(timeout=5)) == 0
    finally:
        done.set()
        thread.join()
