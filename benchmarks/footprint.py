"""Figures without a framework to compare with: graphs, memory, files, start-up, toggling."""

from __future__ import annotations

import functools
import gc
import importlib.util
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import by_hand
from benchmarks.measure import Figure, interleaved, ratio

ROOT = Path(__file__).parents[1]
PLUGINS = ("autograd", "activations", "losses", "layers")


def figures(quick: bool) -> Iterator[Figure]:
    """Yield all figures of this module."""
    for exponent in range(3, 5 if quick else 7):
        yield from graph(10**exponent)
    yield growth(100_000 if quick else 1_000_000)
    yield untracked(3 if quick else 15)
    yield trainer_step(3 if quick else 15)
    yield peak_memory(width=128, layers=50, batch=1024, goal=1.1)
    yield peak_memory(width=1024, layers=20, batch=2048, goal=1)
    yield from checkpointing()
    yield from _in_new_process(checkpoint_files, 3 if quick else 15)
    yield from toggling()
    yield from start_up(3 if quick else 15)


def graph(nodes: int) -> Iterator[Figure]:
    """Yield time and memory per node of a chain of multiplications: both should be constant."""
    from tinytorch_core import Tensor

    x = Tensor(np.ones(4, np.float32), requires_grad=True)
    factor = Tensor(np.ones(4, np.float32), requires_grad=True)

    def build() -> Any:
        y = x
        for _ in range(nodes):
            y = y * factor
        return y.sum()

    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        y = build()
        built = time.perf_counter()
        y.backward()
        finished = time.perf_counter()
    finally:
        gc.enable()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    y = build()
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    # Not counted: the array of its first input, which each node saves (16 bytes of data).
    array = sys.getsizeof(np.ones(4, np.float32))
    del y
    name = f"graph of {nodes:,} nodes"
    yield Figure("graphs", f"{name}: forward", (built - start) / nodes * 1e9, "ns/node")
    yield Figure("graphs", f"{name}: backward", (finished - built) / nodes * 1e9, "ns/node")
    yield Figure("graphs", f"{name}: memory", held / nodes - array, "bytes/node", 400)


def growth(nodes: int) -> Figure:
    """Return the time per node of recording a large graph, relative to one of a thousand nodes."""
    from tinytorch_core import Tensor

    x = Tensor(np.ones(10, np.float32), requires_grad=True)

    def seconds(length: int) -> float:
        y = x
        start = time.perf_counter()
        for _ in range(length):
            y = y * x
        return (time.perf_counter() - start) / length

    gc.collect()
    ratio = min(seconds(nodes) for _ in range(3)) / min(seconds(1_000) for _ in range(50))
    return Figure("graphs", f"a node of {nodes:,}, over one of 1,000: forward", ratio, "x", 1.5)


def untracked(rounds: int) -> Figure:
    """Return the time of an operator on untracked Tensors minus NumPy's, with all plugins on."""
    from tinytorch_core import Tensor

    a, b = np.ones(10, np.float32), np.ones(10, np.float32)
    x, y = Tensor(a), Tensor(b)
    found = interleaved({"ours": lambda: x * y, "numpy": lambda: a * b}, rounds, 0.02)
    pairs = zip(found["ours"], found["numpy"], strict=True)
    extra = statistics.median(ours - numpy for ours, numpy in pairs)
    return Figure("ops", "untracked op beyond NumPy's, 10 elements", extra * 1e9, "ns", 250)


def trainer_step(rounds: int) -> Figure:
    """Return the time of a step of the Trainer, relative to the same step in a plain loop."""
    from tinytorch_activations import ReLU
    from tinytorch_layers import Linear, Sequential
    from tinytorch_losses import CrossEntropyLoss
    from tinytorch_training import SGD, DataLoader, TensorDataset, Trainer

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6400, 2)).astype(np.float32), rng.integers(0, 2, 6400)
    loss = CrossEntropyLoss()

    def parts() -> tuple[Any, Any, Any]:
        layers = Linear(2, 16), ReLU(), Linear(16, 16), ReLU(), Linear(16, 2)
        model = Sequential(*layers)
        return model, SGD(model.parameters(), lr=0.1), DataLoader(TensorDataset(x, y), 32)

    model, optimizer, loader = parts()

    def loop() -> None:
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss(model(inputs), targets).backward()
            optimizer.step()

    other, its_optimizer, its_loader = parts()
    trainer = Trainer(other, loss, its_optimizer, progress=False)
    tasks = {"trainer": lambda: trainer.fit(its_loader, 1), "loop": loop}
    found = interleaved(tasks, rounds, 0.02)
    value = ratio(found["trainer"], found["loop"]).median
    name = "Trainer over a plain loop, 2-16-16-2, batch 32"
    return Figure("training", name, value, "x", 1.1)


def peak_memory(width: int, layers: int, batch: int, goal: float) -> Figure:
    """Return the peak memory of a training step, relative to the step by hand."""
    from benchmarks.frameworks import TinyTorch

    rng = np.random.default_rng(0)
    parameters = [
        p
        for _ in range(layers)
        for p in (
            rng.standard_normal((width, width)).astype(np.float32) / width**0.5,
            np.zeros(width, np.float32),
        )
    ]
    x = rng.standard_normal((batch, width)).astype(np.float32)
    y = rng.integers(0, width, batch)

    def loss(F: Any, h: Any, y: Any, *ps: Any) -> Any:
        for w, b in zip(ps[:-2:2], ps[1:-2:2], strict=True):
            h = F.relu(h @ w + b)
        return F.cross_entropy(h @ ps[-2] + ps[-1], y)

    ours = _peak(TinyTorch().train(loss, parameters, x, y))
    hand = _peak(by_hand.train(parameters, x, y))
    name = f"peak of a step of {layers} layers of {width:,}, over by hand"
    return Figure("memory", name, ours / hand, "x", goal)


def _peak(task: Callable[[], Any]) -> int:
    task()
    gc.collect()
    tracemalloc.start()
    task()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def checkpointing() -> Iterator[Figure]:
    """Yield memory and time of 50 layers in checkpoints of 7, relative to no checkpoints."""
    from tinytorch_core import Tensor

    from tinytorch_autograd import checkpoint

    width, layers, group = 128, 50, 7
    rng = np.random.default_rng(0)
    weights = [
        Tensor(rng.standard_normal((width, width)).astype(np.float32) * 0.1, requires_grad=True)
        for _ in range(layers)
    ]
    x = Tensor(rng.standard_normal((1024, width)).astype(np.float32))
    calls = []

    def run(h: Any, weights: list[Any]) -> Any:
        for w in weights:
            calls.append(w)
            h = np.tanh(h @ w) * 1.5
        return h

    def without() -> Any:
        return run(x, weights).sum()

    def in_groups() -> Any:
        h = x
        for start in range(0, layers, group):
            h = checkpoint(run, h, weights[start : start + group])
        return h.sum()

    held = {step: _held(step) for step in (without, in_groups)}
    peaks = {step: _peak(functools.partial(_step, step)) for step in (without, in_groups)}
    seconds = {step: _backward_seconds(step) for step in (without, in_groups)}
    calls.clear()
    in_groups().backward()
    name = "50 layers checkpointed, over without"
    yield Figure("memory", f"{name}: held", held[in_groups] / held[without], "x", 0.2)
    yield Figure("memory", f"{name}: peak of a step", peaks[in_groups] / peaks[without], "x")
    yield Figure("memory", f"{name}: time", seconds[in_groups] / seconds[without], "x")
    yield Figure("memory", "50 layers checkpointed: forwards", len(calls) / layers, "runs", 2)


def _step(build: Callable[[], Any]) -> None:
    build().backward()


def _held(build: Callable[[], Any]) -> int:
    """Return the bytes that a graph keeps, in a second run of `build`."""
    build()
    gc.collect()
    tracemalloc.start()
    graph = build()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del graph
    return held


def _backward_seconds(build: Callable[[], Any]) -> float:
    def seconds() -> float:
        start = time.perf_counter()
        _step(build)
        return time.perf_counter() - start

    return statistics.median(seconds() for _ in range(5))


def checkpoint_files(rounds: int) -> list[Figure]:
    """Return time and memory for saving and loading 105 MB, relative to safetensors.

    `save_checkpoint` waits until the data are on the disk, and safetensors does not. So a save is
    compared with safetensors alone, and with safetensors followed by `os.fsync`.

    Call it in a new process. Programs load a checkpoint when they start, into memory that they have
    not used yet, and getting this memory takes longer than reading the file. After other
    benchmarks, the memory allocator of some systems would reuse memory instead.
    """
    import safetensors.numpy

    from tinytorch_training import load_checkpoint, save_checkpoint

    rng = np.random.default_rng(0)
    state = {str(i): rng.standard_normal((512, 512), np.float32) for i in range(100)}
    size = sum(array.nbytes for array in state.values())
    with tempfile.TemporaryDirectory() as folder:
        own, other = Path(folder, "own"), Path(folder, "other")
        save, load = lambda: save_checkpoint(own, state), lambda: load_checkpoint(own)

        def their_save_and_fsync() -> None:
            safetensors.numpy.save_file(state, other)
            with other.open("rb") as file:
                os.fsync(file.fileno())

        tasks: dict[str, Callable[[], Any]] = {
            "save": save,
            "their save": lambda: safetensors.numpy.save_file(state, other),
            "their save and fsync": their_save_and_fsync,
            "load": load,
            "their load": lambda: safetensors.numpy.load_file(other),
        }
        seconds = {name: min(times) for name, times in interleaved(tasks, rounds, 0).items()}
        peaks = {save: _peak(save), load: _peak(load)}
    name = "checkpoint of 105 MB"
    compared = (
        ("save, over safetensors", "save", "their save"),
        ("save, over safetensors and fsync", "save", "their save and fsync"),
        ("load, over safetensors", "load", "their load"),
    )
    figures = [(what, seconds[ours] / seconds[theirs], 1.3) for what, ours, theirs in compared]
    figures += [
        ("memory of save, over its size", peaks[save] / size, 0.1),
        ("memory of load, over its size", peaks[load] / size, 1.1),
    ]
    return [Figure("checkpoints", f"{name}: {what}", x, "x", goal) for what, x, goal in figures]


def _in_new_process(function: Callable[[int], list[Figure]], rounds: int) -> list[Figure]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, rounds).result()


def toggling() -> Iterator[Figure]:
    """Yield the time to disable and enable autograd, when both surfaces are cached."""
    from tinytorch_core import plugins

    def toggle() -> float:
        start = time.perf_counter()
        plugins.disable("autograd")
        plugins.enable("autograd")
        return time.perf_counter() - start

    toggle()
    again = statistics.median(toggle() for _ in range(50))
    yield Figure("plugins", "autograd off and on again", again * 1e6, "µs")


def start_up(repeats: int) -> Iterator[Figure]:
    """Yield the time of `import tinytorch_core` after `import numpy`, installed from wheels."""
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder, "base")
        base.mkdir()
        # Only what the import needs: more packages on the path would make the search slower.
        for package in ("numpy", "pluggy"):
            spec = importlib.util.find_spec(package)
            assert spec is not None
            assert spec.origin is not None
            site = Path(spec.origin).parents[1]
            for found in site.glob(f"{package}*"):
                os.symlink(found, base / found.name)
        core = _install(ROOT, Path(folder, "core"))
        alone = _import_seconds([core, base], repeats)
        name = "import tinytorch_core, no plugins, beyond numpy"
        yield Figure("start-up", name, alone * 1e3, "ms", 10)
        for plugin in PLUGINS:
            extra = _install(ROOT / "plugins" / plugin, Path(folder, plugin))
            seconds = _import_seconds([core, extra, base], repeats)
            yield Figure("start-up", f"{plugin}, beyond that", (seconds - alone) * 1e3, "ms", 5)


def _install(project: Path, target: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target"]
    subprocess.run([*pip, str(target), str(project)], check=True)
    # Remove the build's files: the next wheel would contain them, or they would count as metadata.
    for left in (project / "build", *project.glob("*.egg-info")):
        shutil.rmtree(left, ignore_errors=True)
    return target


def _import_seconds(path: list[Path], repeats: int) -> float:
    program = (
        f"import sys; sys.path[:0] = {[str(p) for p in path]}; import numpy, time; "
        "start = time.perf_counter(); import tinytorch_core; "
        "print(time.perf_counter() - start)"
    )
    command = [sys.executable, "-S", "-c", program]
    found = [
        float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(repeats + 1)
    ]
    return statistics.median(found[1:])  # the first run writes the bytecode
