"""The layers as a plugin: enabled and disabled, with and without autograd."""

import inspect
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from tinytorch_core import PluginWarning, Tensor, plugins

from tinytorch_activations import ReLU
from tinytorch_layers import Conv2d, Flatten, Linear, MaxPool2d, Parameter, Sequential

from .cases import CASES

OPS = {
    "linear",
    "conv2d",
    "conv2d_input",
    "conv2d_weight",
    "max_pool2d",
    "max_pool2d_input",
    "max_pool2d_pick",
    "avg_pool2d",
    "avg_pool2d_input",
    "layer_norm",
    "batch_norm",
    "embedding",
    "embedding_weight",
    "dropout",
    "scaled_dot_product_attention",
    "split_heads",
    "merge_heads",
    "rnn",
    "lstm",
    "gru",
    "random_draw",
}


def surface():
    return {name: inspect.getattr_static(Tensor, name) for name in dir(Tensor)}


def network():
    return Sequential(
        Conv2d(1, 2, 3, generator=0), ReLU(), MaxPool2d(2), Flatten(), Linear(18, 2, generator=1)
    )


IMAGES = np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 1, 8, 8)


def test_disabling_the_layers_leaves_nothing_behind():
    with plugins.disable("layers"):
        without = surface()
        assert not OPS & set(Tensor._calls)
    with_layers = surface()
    assert set(Tensor._calls) - set(without["_calls"]) == OPS
    with plugins.disable("layers"):
        assert surface() == without
    assert surface() == with_layers


def test_layers_add_no_attributes_to_tensor():
    with plugins.disable("layers"):
        without = set(dir(Tensor))
    assert set(dir(Tensor)) == without


def test_disabled_layer_raises():
    model = network()
    with (
        plugins.disable("layers"),
        pytest.raises(AttributeError, match="no active plugin provides the op 'conv2d'"),
    ):
        model(IMAGES)
    assert model(IMAGES).shape == (2, 2)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_values_are_the_same_without_autograd(case):
    expected = case.layer()(case.x())
    with plugins.only("layers", "activations"):
        x = Tensor(case.x()) if case.floating else case.x()
        out = case.layer()(x)
        assert not hasattr(out, "grad_fn")
    np.testing.assert_array_equal(np.asarray(out.data), np.asarray(expected.data))


def test_network_created_without_autograd_learns_after_requires_grad():
    with plugins.disable("autograd"):
        model = network()
        assert not hasattr(model[0].weight, "requires_grad")
        with pytest.raises(AttributeError, match=r"requires_grad_.*'autograd' provides it"):
            model.requires_grad_()
        with pytest.raises(AttributeError, match=r"zero_grad.*'autograd' provides it"):
            model.zero_grad()
    assert not model[0].weight.requires_grad
    model.requires_grad_()
    model(IMAGES).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_network_keeps_working_while_autograd_is_disabled():
    model = network()
    with plugins.disable("autograd"):
        assert not hasattr(model(IMAGES), "grad_fn")
    model(IMAGES).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_model_that_was_pickled_with_autograd_loads_without_it():
    pickled = pickle.dumps(network())
    with plugins.disable("autograd"):
        with pytest.warns(PluginWarning, match=r"Parameter was .* requires_grad=True .*'autograd'"):
            model = pickle.loads(pickled)
        expected = model(IMAGES)
    # It is loaded without requires_grad.
    assert not any(p.requires_grad for p in model.parameters())
    model.requires_grad_()
    loaded = pickle.loads(pickled)
    assert all(p.requires_grad for m in (model, loaded) for p in m.parameters())
    np.testing.assert_array_equal(loaded(IMAGES).data, expected.data)


def test_a_model_that_was_pickled_without_autograd_loads_with_it():
    model = network()
    with plugins.disable("autograd"):
        pickled = pickle.dumps(model)
    # The pickle does not contain requires_grad.
    loaded = pickle.loads(pickled)
    assert not any(p.requires_grad for p in loaded.parameters())
    np.testing.assert_array_equal(loaded(IMAGES).data, model(IMAGES).data)
    loaded.requires_grad_()
    loaded(IMAGES).sum().backward()
    assert all(p.grad is not None for p in loaded.parameters())


def test_array_input_gives_a_tensor_if_the_layer_has_parameters():
    assert type(network()(IMAGES)) is Tensor
    assert type(Flatten()(IMAGES)) is np.ndarray


def test_a_subclass_of_tensor_gives_a_tensor():
    class Image(Tensor):
        pass

    assert type(network()(Image(IMAGES))) is Tensor


def test_parameter_is_a_tensor_with_its_own_repr():
    assert issubclass(Parameter, Tensor)
    assert repr(Parameter([1.0])) == "Parameter([1.], requires_grad=True)"


PROGRAM = """
import sys, numpy
import tinytorch_layers as L
from tinytorch_core import PluginWarning, Tensor, plugins
out = L.Sequential(L.Conv2d(1, 2, 3), L.Flatten(), L.Linear(8, 3))(Tensor(numpy.ones((1, 1, 4, 4))))
print(out.shape, sorted(p.name for p in plugins.status() if p.on))
print([m for m in sys.modules if m.startswith(("tinytorch_autograd", "tinytorch_activations"))])
"""


def test_layers_do_not_import_autograd():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env=os.environ | {"TINYTORCH_PLUGINS": "layers"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == ["(1, 3) ['layers']", "[]"]


def test_activating_the_plugin_imports_nothing_slow():
    program = (
        "import sys, numpy, pluggy, inspect, itertools, linecache, math, weakref; "
        "before = set(sys.modules); import tinytorch_core; print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"TINYTORCH_PLUGINS": "layers"},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = done.stdout.split()
    assert "tinytorch_layers.plugin" in loaded
    assert not [name for name in loaded if name.startswith(("numpy.random", "numpy.testing"))]
