"""GradientTape, as in TensorFlow."""

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_autograd import (
    AutogradError,
    GradientTape,
    UntrackedError,
    Variable,
    no_grad,
)

from .checks import tracked


class TestGradientTape:
    def test_watch(self):
        x, other = Tensor([3.0]), Tensor([4.0])
        with GradientTape() as tape:
            tape.watch(x)
            y = x * x * other
        assert tape.gradient(y, x).tolist() == [24.0]
        assert not x.requires_grad
        assert not other.requires_grad

    def test_the_result_has_the_structure_of_the_sources(self):
        x, y = Variable(3.0), Variable(4.0)
        with GradientTape(persistent=True) as tape:
            z = x * y
        assert [g.item() for g in tape.gradient(z, [x, y])] == [4.0, 3.0]
        pair = tape.gradient(z, (y, x))
        assert type(pair) is tuple
        assert [g.item() for g in pair] == [3.0, 4.0]

    def test_elements_of_a_target_are_summed(self):
        x = Tensor([1.0, 2.0])
        with GradientTape() as tape:
            tape.watch([x])
            y = x * x
        assert tape.gradient(y, x).tolist() == [2.0, 4.0]

    def test_an_independent_source_gives_none(self):
        x, other = Variable(3.0), Variable(4.0)
        with GradientTape() as tape:
            y = x * x
        slope, none = tape.gradient(y, [x, other])
        assert (slope.item(), none) == (6.0, None)

    def test_a_persistent_tape_computes_several_gradients(self):
        x = Tensor([3.0])
        with GradientTape(persistent=True) as tape:
            tape.watch(x)
            y = x * x
            z = y * y
        assert tape.gradient(z, x).tolist() == [108.0]
        assert tape.gradient(y, x).tolist() == [6.0]
        assert tape.gradient(z, y).tolist() == [18.0]

    def test_nested_for_the_second_derivative(self):
        x = Tensor([3.0])
        with GradientTape() as outer:
            outer.watch(x)
            with GradientTape() as inner:
                inner.watch(x)
                y = x * x * x
            slope = inner.gradient(y, x)
        assert slope.tolist() == [27.0]
        assert outer.gradient(slope, x).tolist() == [18.0]

    def test_nested_three_deep(self):
        x = Variable(2.0)
        with GradientTape() as first:
            with GradientTape() as second:
                with GradientTape() as third:
                    y = x**4
                slope = third.gradient(y, x)
            curvature = second.gradient(slope, x)
        assert first.gradient(curvature, x).item() == 48.0

    def test_records_inside_no_grad(self):
        x = Tensor([3.0])
        with no_grad(), GradientTape() as tape:
            tape.watch(x)
            y = x * x
        assert tape.gradient(y, x).tolist() == [6.0]

    def test_watched_tensors_are_untracked_after_an_error(self):
        x = Tensor([3.0])

        def interrupted():
            with GradientTape() as tape:
                tape.watch(x)
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            interrupted()
        assert not x.requires_grad
        assert not (x * 2).requires_grad

    def test_wrong_use_of_a_tape_raises(self):
        x, other = Tensor([3.0]), Tensor([4.0])
        with GradientTape() as tape:
            tape.watch(x)
            y = x * x
            with pytest.raises(AutogradError, match="another"), tape:
                pass
        with pytest.raises(AutogradError, match="inside"):
            tape.watch(other)
        with pytest.raises(UntrackedError, match="watch"):
            tape.gradient(y, other)
        with pytest.raises(UntrackedError):
            tape.gradient(other, x)
        with pytest.raises(TypeError, match="ndarray"):
            tape.gradient(y, np.ones(1))
        assert tape.gradient(y, x).tolist() == [6.0]
        with pytest.raises(AutogradError, match="persistent=True"):
            tape.gradient(y, x)

    def test_jacobian(self):
        x, w, other = tracked([1, 2]), tracked([[1, 2], [3, 4], [5, 6]]), Variable(1.0)
        with GradientTape() as tape:
            y = w @ x
        found = tape.jacobian(y, {"x": x, "w": [w, None], "other": other})
        np.testing.assert_array_equal(found["x"].data, w.data)
        assert found["w"][0].shape == (3, 3, 2)
        np.testing.assert_array_equal(found["w"][0].data[1], [[0, 0], [1, 2], [0, 0]])
        assert (found["w"][1], found["other"]) == (None, None)
        with pytest.raises(AutogradError, match="used already"):
            tape.gradient(y, x)

    def test_jacobian_of_a_gradient_is_the_hessian(self):
        x = tracked([1, 2])
        with GradientTape() as outer:
            with GradientTape() as inner:
                y = (x**3).sum()
            slope = inner.gradient(y, x)
        assert outer.jacobian(slope, x).tolist() == [[6, 0], [0, 12]]

    def test_jacobian_of_an_empty_target(self):
        x, y = tracked(np.zeros((0, 2))), Variable(1.0)
        with GradientTape() as tape:
            z = x * y
        assert tape.jacobian(z, y).shape == (0, 2)

    def test_several_targets_and_weights_for_them(self):
        x, y = tracked([1, 2]), tracked([3, 4])
        with GradientTape(persistent=True) as tape:
            targets = {"a": x * y, "b": (x * 10, Tensor([1.0]))}
        assert tape.gradient(targets, x).tolist() == [13, 14]
        weights = {"a": np.array([1.0, 0.0]), "b": (np.array([0.0, 2.0]), [0.0])}
        assert tape.gradient(targets, [x, y], weights)[0].tolist() == [3, 20]
        assert tape.gradient(targets, {"y": y}, weights)["y"].tolist() == [1, 0]
        with pytest.raises(
            ValueError, match=r"output_gradients has the structure .*, but must have"
        ):
            tape.gradient(targets, x, {"a": np.ones(2)})

    def test_stop_recording(self):
        x = Variable(3.0)
        with GradientTape() as tape:
            with tape.stop_recording():
                constant = x * x
            y = constant * x
        assert tape.gradient(y, x).item() == 9.0
        with pytest.raises(AutogradError, match="inside"), tape.stop_recording():
            pass

    @pytest.mark.parametrize("value", [np.ones(2), 3.0, Tensor(np.array([1]))])
    def test_watching_anything_but_a_tensor_of_floats_raises(self, value):
        with GradientTape() as tape, pytest.raises(TypeError):
            tape.watch(value)
