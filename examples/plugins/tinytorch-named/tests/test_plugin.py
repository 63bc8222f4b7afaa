"""The plugin: what it wraps, and that it leaves tensors without names alone."""

import threading

import numpy as np

from tinytorch_core import Tensor, plugins

from tinytorch_devkit import parametrize_with_checks


@parametrize_with_checks("named")
def test_conforms(check):
    check()


def test_its_wrapper_is_the_outermost():
    assert plugins.surface().wrappers["matmul"][-1] == "named"


def test_tinytorch_ops_shows_which_ops_keep_names():
    surface = plugins.surface()
    assert surface.explain(surface.ops["sum"])["names"] == "kept"
    assert surface.explain(surface.ops["scatter_add"])["names"] == "-"


def test_results_of_tensors_without_names_have_no_attribute_more():
    x = Tensor(np.ones((2, 2)))
    for y in (x + x, x.sum(0), np.sort(x), np.concatenate([x, x]), x[0], x.copy(), Tensor(x)):
        assert vars(y) == {}


def test_threads_do_not_disturb_each_other():
    found = []

    def work(name):
        x = Tensor(np.ones((2, 3)), names=(name, "feature"))
        found.append(all((np.median(x * 2, axis="feature")).names == (name,) for _ in range(200)))

    threads = [threading.Thread(target=work, args=(name,)) for name in ("a", "b", "c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 3
