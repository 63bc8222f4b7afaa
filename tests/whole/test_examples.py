"""The programs in examples/ train and draw what they describe; some with fewer steps."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


def program(name):
    """Return the program as a module."""
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def picture(file: Path) -> np.ndarray:
    """Return the colours of a picture, from 0 to 1."""
    import matplotlib.image

    return matplotlib.image.imread(file)


def assert_drawn(file: Path) -> None:
    """Check that the file is a picture at least 1000 pixels wide, and not blank."""
    colours = picture(file)
    assert colours.shape[1] >= 1000
    assert colours.std() > 0.05


def test_every_program_is_tested() -> None:
    tested = Path(__file__).read_text("utf-8")
    for file in EXAMPLES.glob("*.py"):
        assert f'program("{file.stem}")' in tested, file


def run_limited(*command: str) -> subprocess.CompletedProcess[str]:
    """Run Python with one thread for NumPy, whose threads would reserve memory."""
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, *command], env=os.environ | one_thread, capture_output=True, text=True
    )


@pytest.mark.peers("dask.array", "zarr")
@pytest.mark.parametrize("options", [[], ["--zarr"]], ids=["mapped", "zarr"])
def test_data_ten_times_as_large_as_the_memory_are_trained_on(options) -> None:
    file = program("larger_than_memory").__file__
    done = run_limited(file, "--limit", "80", "--steps", "2", *options)
    assert done.returncode == 0, done.stderr
    assert "data 10.0 times as large" in done.stdout
    losses = [float(loss) for loss in re.findall(r"loss (\S+)", done.stdout)]
    assert losses[1] < losses[0]


@pytest.mark.peers("dask.array")
def test_the_memory_of_that_program_is_limited() -> None:
    allocate = """
import resource, runpy, sys
import numpy as np

names = runpy.run_path(sys.argv[1])
names["main"](40, 0, names["mapped"])
limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
try:
    np.ones(limit, np.uint8)
except MemoryError:
    print("refused")
"""
    done = run_limited("-c", allocate, program("larger_than_memory").__file__)
    assert done.stdout.endswith("refused\n"), done.stderr


SMALL = ["--width", "16", "--batch-size", "64", "--examples", "640", "--epochs", "3"]
TWO_DEVICES = {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}


@pytest.mark.parametrize(
    "options",
    [
        "--compile numpy",
        "--compile native",
        pytest.param("--compile xla", marks=pytest.mark.peers("jax")),
        pytest.param("--devices 2", marks=pytest.mark.peers("jax")),
    ],
)
def test_the_ways_from_a_laptop_to_a_cluster_give_the_same_losses(options, capsys) -> None:
    example = program("from_laptop_to_cluster")
    losses = example.main(SMALL)
    assert losses[-1] < losses[0]
    # In a new process, because JAX reads the variable when it is imported.
    command = [sys.executable, example.__file__, *SMALL, *options.split()]
    done = subprocess.run(command, env=os.environ | TWO_DEVICES, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for shown in (capsys.readouterr().out, done.stdout):
        found = [*map(float, re.match(r"loss (\S+) to (\S+), ", shown).groups())]
        np.testing.assert_allclose(found, [losses[0], losses[-1]], atol=2e-4)


def test_xor_is_learned(capsys) -> None:
    answers = program("xor").main()
    assert np.abs(answers[:, 0] - [0, 1, 1, 0]).max() < 0.05
    assert "Learned: 0 xor 0 = 0, 0 xor 1 = 1, 1 xor 0 = 1, 1 xor 1 = 0" in capsys.readouterr().out


def test_compiled_steps_give_the_same_network(capsys) -> None:
    assert program("compiled_digits").main(epochs=2)
    shown = capsys.readouterr().out
    assert "weights equal: True" in shown
    assert "step: 1 program" in shown
    assert "loss.backward()" in shown


def test_a_network_learns_the_digits(capsys, tmp_path) -> None:
    accuracy = program("digits_mlp").main(tmp_path)
    shown = capsys.readouterr().out
    assert accuracy >= 0.975
    assert f"{accuracy:.2%}" in shown
    assert "tinytorch plugins" in shown
    assert_drawn(tmp_path / "digits_mlp.png")


def test_the_picture_without_misclassified_digits() -> None:
    history = {name: [0.5] for name in ("loss", "accuracy")}
    figure = program("digits_mlp").draw(history, [], 1.0)
    assert figure.subfigs[1].get_suptitle() == "No misclassified digits"


def test_a_convolutional_network_learns_the_digits(capsys, tmp_path) -> None:
    accuracy = program("digits_cnn").main(tmp_path, epochs=10)
    assert accuracy >= 0.985
    assert f"{accuracy:.2%}" in capsys.readouterr().out
    assert_drawn(tmp_path / "digits_cnn.png")


def test_the_moons_are_classified(tmp_path) -> None:
    assert program("two_moons").main(tmp_path, epochs=20) > 0.9
    assert_drawn(tmp_path / "two_moons.png")


def test_newton_converges_long_before_the_first_order_methods(capsys, tmp_path) -> None:
    reached = program("newton").main(tmp_path, steps=200)
    assert reached["Newton"] < 1e-20
    assert min(reached["Adam"], reached["gradient descent, momentum"]) > 1e-3
    assert "Newton" in capsys.readouterr().out
    assert_drawn(tmp_path / "newton.png")


def test_a_gpt_learns_and_writes(capsys, tmp_path) -> None:
    assert program("gpt").main(tmp_path, steps=20, width=16, written=80) < 4
    shown = capsys.readouterr().out
    assert "20 steps in" in shown
    assert "The model writes:\n\nThe " in shown
    assert_drawn(tmp_path / "gpt.png")


def test_an_lstm_forecasts_the_series(capsys, tmp_path) -> None:
    assert program("lstm").main(tmp_path, epochs=8) > 15
    assert "epochs in" in capsys.readouterr().out
    assert_drawn(tmp_path / "lstm.png")


def test_an_autoencoder_learns_the_digits(capsys, tmp_path) -> None:
    assert program("vae").main(tmp_path, epochs=4) < 35
    assert "4 epochs in" in capsys.readouterr().out
    assert_drawn(tmp_path / "vae.png")


def test_the_bound_of_the_autoencoder_contains_the_divergence() -> None:
    vae = program("vae")
    images, noise = np.full((2, 64), 0.5, np.float32), np.random.default_rng(0)
    mean, log_variance = noise.standard_normal((2, 2, 2))
    found = vae.negative_bound((np.zeros((2, 64)), mean, log_variance), images)
    variance = np.exp(log_variance)
    divergence = 0.5 * (variance + mean**2 - 1 - log_variance).sum() / 2
    np.testing.assert_allclose(float(found), 64 * np.log(2) + divergence)


def test_a_network_solves_the_equation_of_burgers(capsys, tmp_path) -> None:
    assert program("pinn").main(tmp_path, iterations=120) < 0.3
    shown = capsys.readouterr().out
    assert "120 iterations: relative error" in shown
    assert_drawn(tmp_path / "pinn.png")


def test_the_exact_solution_satisfies_the_equation() -> None:
    pinn = program("pinn")
    x, h = np.linspace(-1, 1, 2001), 1e-3
    before, u, after = (pinn.exact(x, np.full_like(x, t)) for t in (0.5 - h, 0.5, 0.5 + h))
    slope, curvature = np.gradient(u, h), np.gradient(np.gradient(u, h), h)
    remaining = (after - before) / (2 * h) + u * slope - pinn.VISCOSITY * curvature
    assert np.abs(remaining[2:-2]).max() < 0.01 * np.abs(u * slope).max()
    np.testing.assert_allclose(pinn.exact(x, 0 * x), -np.sin(np.pi * x), atol=1e-12)


PICTURES = ["digits_mlp", "digits_cnn", "two_moons", "newton", "gpt", "lstm", "vae", "pinn"]


@pytest.mark.parametrize("name", PICTURES)
def test_help_shows_the_description(name: str, monkeypatch, capsys) -> None:
    import runpy

    monkeypatch.setattr("sys.argv", [f"{name}.py", "--help"])
    with pytest.raises(SystemExit, match="0"):
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
    assert program(name).__doc__.partition("\n")[0][:40] in capsys.readouterr().out
