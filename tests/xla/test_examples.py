"""The programs in examples/ give the same results with compiled steps, at reduced sizes.

`larger_than_memory.py` computes with Dask instead. Noise that a program draws is left out, because
JAX draws other numbers than NumPy.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tinytorch_core import Tensor

import tinytorch_xla as xla
from tinytorch_autograd import func

from ..whole.test_examples import EXAMPLES, program  # noqa: TID252

pytestmark = pytest.mark.peers("jax")

# The tests of examples run the second one with `--compile xla`.
ELSEWHERE = {"larger_than_memory", "from_laptop_to_cluster"}


class Figure:
    """Stands for a picture, which takes longer to draw than the network to train."""

    def savefig(self, file, dpi):
        pass


def history(name, compile, options, changes):
    """Return what `main` returns, and the losses of its Trainer."""
    module = program(name)
    trainers = []
    original = module.Trainer

    def create(*args, **given):
        trainers.append(original(*args, compile=compile, progress=False, **given))
        return trainers[0]

    module.Trainer = create
    if name != "two_moons":  # its curves are drawn by the program itself
        module.draw = lambda *args: Figure()
    for attribute, value in changes.items():
        setattr(module, attribute, value)
    return module.main(**options), trainers[0].history["loss"]


class WithoutNoise(np.random.Generator):
    """A generator whose normal numbers are 0; it draws the weights as usual."""

    def standard_normal(self, size=None, dtype=np.float64, out=None):
        return np.zeros(size, dtype)


@pytest.mark.parametrize(
    ("name", "options", "changes"),
    [
        ("digits_mlp", {"epochs": 1}, {}),
        ("digits_cnn", {"epochs": 1}, {}),
        ("two_moons", {"epochs": 2}, {}),
        ("lstm", {"epochs": 1}, {"WINDOW": 4, "CONTEXT": 8, "HORIZON": 3, "STARTS": 2}),
    ],
)
def test_programs_with_a_trainer(name, options, changes, tmp_path):
    options = {"folder": tmp_path, **options}
    expected = history(name, False, options, changes)
    found = history(name, "xla", options, changes)
    # Rounding errors grow in training.
    np.testing.assert_allclose(found[1], expected[1], 1e-4)
    np.testing.assert_allclose(found[0], expected[0], 0.02, 0.01)


def test_the_autoencoder():
    vae = program("vae")

    def loss(compile):
        model = vae.Autoencoder(16, np.random.default_rng(0))
        model.generator = WithoutNoise(np.random.PCG64())
        images = np.random.default_rng(1).random((8, 64), np.float32)

        @compile
        def step(images):
            model.zero_grad()
            loss = vae.negative_bound(model(images), images)
            loss.backward()
            return [loss, *(p.grad for p in model.parameters())]

        return [np.asarray(getattr(x, "data", x)) for x in step(Tensor(images))]

    model = vae.Autoencoder(16, np.random.default_rng(0))
    assert xla.jit(lambda x: model(x))(Tensor(np.ones((3, 64), np.float32)))[0].shape == (3, 64)
    for one, other in zip(loss(xla.jit), loss(lambda step: step), strict=True):
        np.testing.assert_allclose(one, other, 1e-5, 1e-5)


def test_the_steps_that_are_compiled_by_the_program():
    module = program("compiled_digits")
    dropout = module.Dropout
    module.Dropout = lambda p, generator: dropout(0.0, generator=generator)
    expected = module.train(1, lambda step: step)
    found = module.train(1, xla.jit)
    np.testing.assert_allclose(found[0], expected[0], 1e-6)
    for name, weight in expected[1].items():
        np.testing.assert_allclose(found[1][name], weight, 1e-4, 1e-5)


def test_exclusive_or():
    expected, xor = program("xor").main(30), program("xor")
    xor.train = xla.jit(xor.train)
    np.testing.assert_allclose(xor.main(30), expected, 1e-5)


def test_the_gpt(tmp_path):
    def loss(change):
        gpt = program("gpt")
        gpt.train, gpt.draw = change(gpt.train), lambda *args: Figure()
        gpt.LENGTH, gpt.BATCH = 8, 4
        return gpt.main(tmp_path, steps=2, width=8, written=1)

    assert loss(xla.jit) == pytest.approx(loss(lambda train: train), 1e-5)


def test_the_methods_of_newton():
    newton = program("newton")
    x = Tensor(np.array(newton.START))
    for transform in (func.grad, func.hessian):
        found = xla.jit(transform(newton.rosenbrock))(x)
        np.testing.assert_allclose(found.numpy(), transform(newton.rosenbrock)(x).numpy(), 1e-12)


def test_the_network_for_the_equation_of_burgers():
    pinn = program("pinn")
    original = pinn.LBFGS

    def compiled(*args, **options):
        optimizer = original(*args, **options)
        step = optimizer.step
        optimizer.step = lambda closure: step(xla.jit(closure))
        return optimizer

    points = np.random.default_rng(1).uniform((-1, 0), (1, 1), (20, 2))

    def trained(optimizer):
        pinn.LBFGS = optimizer
        solution = pinn.Solution(4, np.random.default_rng(0))
        for parameter in solution.parameters():
            parameter.data = parameter.data.astype(np.float64)
        pinn.train(solution, points, 5)
        return [np.asarray(p.data) for p in solution.parameters()]

    for one, other in zip(trained(compiled), trained(original), strict=True):
        np.testing.assert_allclose(one, other, 1e-8, 1e-8)


def test_every_program_is_compiled():
    tested = Path(__file__).read_text("utf-8")
    for file in EXAMPLES.glob("*.py"):
        assert f'"{file.stem}"' in tested or file.stem in ELSEWHERE, file
