"""Programs that depend on arguments."""

import warnings
from typing import NamedTuple

import numpy as np

from tinytorch_core import Tensor

from tinytorch_layers import Linear
from tinytorch_losses import mse_loss

from .table import ONES, Options, program


@program
def a_batch_as_a_dict(compile):
    step = compile(lambda batch: batch["x"] * 2 + batch["y"][0])
    return [step({"x": ONES * i, "y": [Tensor(ONES), 3]}) for i in range(6)]


@program
def a_batch_as_a_tuple(compile):
    step = compile(lambda batch: batch[0] * batch[1])
    return [step((ONES * i, Tensor(ONES * 2))) for i in range(6)]


@program
def a_batch_of_another_structure(compile):
    step = compile(lambda batch: sum(batch[1:], batch[0]))
    return [step([ONES] * size) for size in (2, 2, 2, 3, 3, 3, 2, 1)]


@program
def a_batch_with_other_keys(compile):
    step = compile(lambda batch: batch.get("x", 0) + batch["y"] * 2)
    return [step({"y": ONES, **more}) for more in [{"x": ONES}] * 4 + [{"z": ONES}] * 4 + [{}] * 4]


@program
def a_batch_in_another_order(compile):
    step = compile(lambda batch: next(iter(batch.values())) * 2)
    one = {"x": ONES, "y": ONES * 3}
    two = {"y": ONES * 3, "x": ONES}
    return [step(batch) for batch in [one] * 4 + [two] * 4]


@program
def a_batch_that_the_step_changes(compile):
    def step(batch):
        batch["y"] = batch["x"] * 2
        return batch["y"] + 1

    step = compile(step)
    batches = [{"x": ONES * i} for i in range(6)]
    return [step(batch) for batch in batches] + batches


@program
def a_list_that_the_step_fills(compile):
    def step(x, results):
        results.append(x * 2)

    step = compile(step)
    results = []
    for i in range(6):
        step(ONES * i, results)
    return results


class Batch(NamedTuple):
    x: object
    y: object


@program
def a_named_tuple(compile):
    step = compile(lambda batch: batch.x * 2 + batch.y)
    return [step(Batch(ONES * i, ONES)) for i in range(6)]


@program
def an_argument_that_is_modified(compile):
    def step(x):
        x += 1
        return x * 2

    step = compile(step)
    arrays = [np.full(2, float(i)) for i in range(6)]
    return [step(x) for x in arrays] + arrays


@program
def an_item_of_an_argument_that_is_set(compile):
    def step(x):
        x[0] = 5
        return x * 2

    step = compile(step)
    arrays = [np.full(2, float(i)) for i in range(6)]
    return [step(x) for x in arrays] + arrays


@program
def a_tensor_argument_that_is_modified(compile):
    def step(x):
        x += 1
        return x * 2

    step = compile(step)
    tensors = [Tensor(np.full(2, float(i))) for i in range(6)]
    return [step(x) for x in tensors] + tensors


@program
def the_same_array_twice(compile):
    def step(x, y):
        return x @ y.T + (x is y)

    step = compile(step)
    x, y = np.random.default_rng(0).standard_normal((2, 5, 5))
    return [step(a, b) for a, b in [(x, y)] * 4 + [(x, x)] * 4 + [(x, y)] * 2]


@program
def an_argument_that_is_the_last_result(compile):
    step = compile(lambda x: np.exp(-x) + x)
    x, found = ONES, []
    for _ in range(8):
        x = step(x)
        found.append(x)
    return found


@program
def an_argument_that_is_a_gradient(compile):
    w = Tensor([1.0, 2.0], requires_grad=True)

    def step(x):
        w.grad = None
        (w * w * x).sum().backward()
        w.data -= 0.1 * w.grad
        grad = w.grad * x
        return grad

    step = compile(step)
    found = [step(ONES) for _ in range(4)]
    return found + [step(w.grad) for _ in range(3)] + [step(w.data) for _ in range(3)] + [w]


@program
def an_argument_that_is_a_view_of_a_parameter(compile):
    w = Tensor(np.arange(6.0).reshape(3, 2), requires_grad=True)

    def step(x):
        w.data += x
        return w.data * x

    step = compile(step)
    found = [step(np.ones((3, 2))) for _ in range(4)]
    return found + [step(w.data[::-1]) for _ in range(3)] + [w]


@program
def arguments_of_other_layouts(compile):
    step = compile(lambda x: (x * 2).sum(axis=0) + x[0] + np.exp(x).T.sum(axis=1))
    base = np.random.default_rng(0).standard_normal((6, 4))
    layouts = [base, base[::2], base[::-1], np.asfortranarray(base), base.T, base.astype(">f8")]
    layouts += [base[:, ::-1], base[:1], base.astype(np.float32), np.broadcast_to(base[:1], (6, 4))]
    frozen = base.copy()
    frozen.flags.writeable = False
    layouts.append(frozen)
    with np.errstate(all="ignore"):
        return [step(x) for x in layouts for _ in range(4)]


@program
def arguments_without_dimensions(compile):
    step = compile(lambda x: x * 2 + 1)
    values = [np.array(1.0), np.array(2, np.float32), np.zeros(0), np.float64(3)]
    return [step(x) for x in values for _ in range(4)]


@program
def empty_arguments(compile):
    step = compile(lambda x: x * 2 + x.sum(axis=0))
    return [step(x) for x in (np.ones((3, 2)), np.ones((0, 2)), np.ones((3, 0))) for _ in range(4)]


@program
def subclasses_of_arrays(compile):
    step = compile(lambda x: x * x)
    base = np.arange(4.0).reshape(2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = [np.matrix(base), np.ma.masked_array(base, base > 2), base.view(np.recarray)]
        return [step(x) for x in values for _ in range(4)]


@program
def arrays_of_other_things(compile):
    step = compile(lambda x: x[0])
    text, objects = np.array(["a", "b"]), np.array([1, 2], object)
    times = np.array(["2020-01-01", "2021-01-01"], "datetime64[D]")
    return [step(x) for x in (text, objects, times) for _ in range(4)]


@program
def tensors_with_attributes(compile):
    def step(x):
        return x * getattr(x, "weight", 1.0)

    step = compile(step)
    found = [step(Tensor(ONES)) for _ in range(4)]
    for weight in (2.0, 2.0, 2.0, 3.0):
        x = Tensor(ONES)
        x.weight = weight
        found.append(step(x))
    return found


@program
def an_argument_that_requires_grad(compile):
    step = compile(lambda x: (x * 2, x.requires_grad) if x.requires_grad else x * 3)
    tracked = [Tensor(ONES, requires_grad=flag) for flag in (False,) * 4 + (True,) * 4]
    found = []
    for x in tracked:
        result = step(x)
        found.append(result if isinstance(result, Tensor) else [result[0].detach(), result[1]])
    return found


@program
def an_argument_with_a_gradient(compile):
    def step(x):
        (x * x).sum().backward()
        return x.grad * 2

    step = compile(step)
    found = []
    for _ in range(5):
        x = Tensor(ONES * 3, requires_grad=True)
        found += [step(x), x.grad]
    return found


@program
def an_object_as_an_argument(compile):
    step = compile(lambda options, x: x * options.scale)
    options = Options()
    found = [step(options, ONES) for _ in range(4)]
    options.scale = 3.0
    return found + [step(options, ONES) for _ in range(4)] + [step(Options(), ONES)]


@program
def a_model_as_an_argument(compile):
    def step(model, x):
        loss = mse_loss(model(x), x)
        model.zero_grad()
        loss.backward()
        return loss

    step = compile(step)
    found = []
    for seed in (0, 0, 0, 0, 1):
        model = Linear(2, 2, generator=seed)
        found += [step(model, Tensor(ONES[None])), model.weight.grad]
    return found


@program
def a_generator_as_an_argument(compile):
    generator = np.random.default_rng(0)
    step = compile(lambda x, generator: x + generator.random(2))
    return [step(ONES, generator) for _ in range(6)] + [generator.random()]


@program
def keywords_in_another_order(compile):
    step = compile(lambda x, **factors: x * next(iter(factors.values())))
    return [step(ONES, a=2.0, b=3.0) for _ in range(4)] + [step(ONES, b=3.0, a=2.0)] * 4


@program
def the_values_of_an_index(compile):
    step = compile(lambda x, i: x[i] * 2)
    x = np.arange(10.0)
    indices = [np.array([1, 2]), np.array([3, 3]), np.array([0, 9])]
    return [step(x, i) for i in indices * 3]


@program
def a_mask(compile):
    step = compile(lambda x: x[x > 0] * 2)
    return [step(np.array(x, float)) for x in ([1, 2], [1, -2], [3, 4], [-1, -2], [1, 1], [2, 2])]
