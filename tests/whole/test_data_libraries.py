"""Data of pandas, polars, xarray, numexpr, Numba and safetensors, to Tensors and back."""

import numpy as np
import pytest

from tinytorch_core import Tensor, hookimpl, plugins

from tinytorch_autograd import LostGradientError, LostGradientWarning, NoRuleError, gradcheck
from tinytorch_layers import Linear
from tinytorch_losses import MSELoss
from tinytorch_training import Adam, DataLoader, TensorDataset, Trainer

VALUES = np.array([[1.0, 4.0], [2.0, 5.0], [3.0, 6.0]])


def tracked(array=VALUES):
    return Tensor(array, requires_grad=True)


class Labelled:
    """Data with labels and NumPy's protocols, like those of pandas and polars."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.array(self.array, dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        raise AssertionError("computed with labels")

    def __len__(self):
        return len(self.array)

    to_numpy = __array__


class TestDataWithLabels:
    """They become arrays, because their operators align labels and return no tensors."""

    def test_a_tensor_holds_an_array(self):
        x = Tensor(Labelled(VALUES))
        assert type(x.data) is np.ndarray
        assert (x.dtype, x.tolist()) == (np.float64, VALUES.tolist())

    def test_operations_with_a_tracked_tensor_are_recorded(self):
        x = tracked()
        y = x * Labelled(VALUES) + np.add(x, Labelled(VALUES))
        y.sum().backward()
        assert x.grad.tolist() == (VALUES + 1).tolist()

    def test_text_is_refused(self):
        with pytest.raises(TypeError, match="a Tensor holds numbers"):
            Tensor(Labelled(np.array(["a", "b"])))


@pytest.mark.peers("pandas")
class TestPandas:
    @pytest.fixture
    def pd(self):
        import pandas as pd

        return pd

    @pytest.fixture
    def frame(self, pd):
        return pd.DataFrame(VALUES, columns=["a", "b"], index=[2, 0, 1])

    def test_frames_and_series_become_tensors(self, pd, frame):
        assert Tensor(frame).tolist() == VALUES.tolist()
        assert Tensor(frame["a"]).tolist() == [1, 2, 3]
        assert type(Tensor(frame["a"]).data) is np.ndarray
        assert Tensor(frame.astype({"a": "float32", "b": "float32"})).dtype == np.float32
        assert Tensor(pd.Series([1, 2], dtype="Int64").astype("int64")).dtype == np.int64
        with pytest.raises(TypeError, match="numbers"):
            Tensor(pd.Series(["x", "y"]))

    def test_tensors_become_frames_and_series(self, pd, frame):
        x = Tensor(VALUES)
        assert pd.DataFrame(x, columns=["a", "b"])["b"].tolist() == [4, 5, 6]
        assert pd.Series(x[:, 0]).dtype == np.float64
        assert frame.assign(c=x[:, 1])["c"].tolist() == [4, 5, 6]

    def test_labels_are_not_aligned_with_tensors(self, frame):
        x = tracked(VALUES[:, 0])
        y = x * frame["b"]
        y.sum().backward()
        assert type(y) is Tensor
        assert y.tolist() == [4, 10, 18]
        assert x.grad.tolist() == [4, 5, 6]
        assert (tracked() + frame).requires_grad
        total = Tensor(frame["a"][1:]) + Tensor(frame["b"][:-1])
        assert total.tolist() == [6, 8]

    def test_what_would_lose_a_gradient_is_an_error(self, pd, frame):
        x = tracked(VALUES[:, 0])
        for lose in (
            lambda: pd.Series(x),
            lambda: pd.DataFrame({"x": x}),
            lambda: frame.assign(c=x),
            lambda: frame["a"] * x,
            lambda: frame @ tracked(np.ones(2)),
        ):
            with pytest.raises(LostGradientError, match=r"detach\(\)"):
                lose()
        assert pd.Series(x.detach()).tolist() == [1, 2, 3]

    def test_a_trainer_and_a_loader_take_frames(self, frame):
        model = Linear(2, 1, generator=0)
        trainer = Trainer(model, MSELoss(), Adam(model.parameters(), 0.05))
        history = trainer.fit(
            frame.astype("float32"), frame[["a"]].astype("float32"), 30, generator=0
        )
        assert history["loss"][-1] < history["loss"][0]
        loader = DataLoader(TensorDataset(frame, frame["a"], dtype=np.float64), 2)
        assert [y.tolist() for _, y in loader] == [[1, 2], [3]]


@pytest.mark.peers("polars")
class TestPolars:
    @pytest.fixture
    def pl(self):
        import polars as pl

        return pl

    def test_frames_and_series_become_tensors(self, pl):
        frame = pl.DataFrame({"a": VALUES[:, 0], "b": VALUES[:, 1]})
        assert Tensor(frame).tolist() == VALUES.tolist()
        x = tracked(VALUES[:, 0])
        y = x * frame["b"]
        y.sum().backward()
        assert x.grad.tolist() == [4, 5, 6]
        loader = DataLoader(TensorDataset(frame, frame["a"], dtype=np.float64), 3)
        assert [y.tolist() for _, y in loader] == [[1, 2, 3]]

    def test_arrays_of_tensors_become_series(self, pl):
        x = Tensor(VALUES)
        assert pl.Series("a", x[:, 0].data).to_list() == [1, 2, 3]
        assert pl.DataFrame(x.data, schema=["a", "b"])["b"].to_list() == [4, 5, 6]
        with pytest.raises(TypeError, match="Tensor"):  # polars takes its known types only
            pl.Series(x[:, 0])

    @pytest.mark.filterwarnings(f"ignore::{LostGradientWarning.__module__}.LostGradientWarning")
    def test_a_series_refuses_a_tensor_as_an_operand(self, pl):
        with pytest.raises(TypeError, match="Tensor"):
            pl.Series([1.0, 2.0, 3.0]) * tracked(VALUES[:, 0])


@pytest.mark.peers("xarray")
class TestXarray:
    @pytest.fixture
    def xr(self):
        import xarray as xr

        return xr

    def test_arrays_become_tensors(self, xr):
        array = xr.DataArray(VALUES, dims=("time", "place"))
        assert type(Tensor(array).data) is np.ndarray
        y = tracked() * array
        assert (type(y), y.requires_grad) == (Tensor, True)

    def test_a_labelled_array_holds_a_tracked_tensor(self, xr):
        x = tracked()
        labelled = xr.DataArray(x, dims=("time", "place"), coords={"place": ["here", "there"]})
        weights = xr.DataArray([1.0, 2.0], dims="place")
        y = (np.exp(labelled.sel(place="there") / 10) + (labelled * weights).mean("place")).sum()
        y.data.backward()
        expected = np.full((3, 2), 0.5)
        expected[:, 1] = 1 + np.exp(VALUES[:, 1] / 10) / 10
        np.testing.assert_allclose(x.grad, expected)
        assert xr.Dataset({"x": labelled})["x"].data.requires_grad

    def test_values_of_a_tracked_tensor_are_an_error(self, xr):
        with pytest.raises(LostGradientError, match=r"detach\(\)"):
            xr.DataArray(tracked(), dims=("time", "place")).values  # noqa: B018
        untracked = xr.DataArray(Tensor(VALUES), dims=("time", "place"))
        assert untracked.values.tolist() == VALUES.tolist()


@pytest.mark.peers("numexpr")
def test_numexpr_takes_tensors_without_gradients():
    import numexpr

    x = Tensor(VALUES[:, 0])
    assert numexpr.evaluate("2 * x + 1", {"x": x}).tolist() == [3, 5, 7]
    with pytest.raises(LostGradientError, match=r"detach\(\)"):
        numexpr.evaluate("2 * x + 1", {"x": tracked(VALUES[:, 0])})


@pytest.mark.peers("numba")
class TestNumba:
    @pytest.fixture
    def softplus(self):
        import numba

        @numba.vectorize(["float32(float32)", "float64(float64)"])
        def softplus(x):
            return np.log(1 + np.exp(x))

        return softplus

    def test_a_ufunc_takes_tensors_and_has_no_gradient(self, softplus):
        x = Tensor(VALUES)
        np.testing.assert_allclose(softplus(x).data, np.log1p(np.exp(VALUES)))
        assert softplus(Tensor([1.0])).dtype == np.float32
        y = softplus(tracked())
        assert y.requires_grad
        with pytest.raises(NoRuleError, match="softplus"):
            y.sum().backward()

    def test_a_registered_rule_gives_derivatives(self, softplus):
        class Plugin:
            @hookimpl
            def tinytorch_register_ops(self, ops):
                ops.add("numba_softplus", softplus, numpy=softplus)

            @hookimpl(optionalhook=True)
            def tinytorch_register_backward(self, rules):
                rules.add("numba_softplus", lambda grad, x: grad / (1 + np.exp(-x)))

        plugins.register(Plugin(), name="numba_softplus")
        try:
            assert gradcheck(softplus, VALUES)
            x = tracked()
            softplus(x).sum().backward()
            np.testing.assert_allclose(x.grad, 1 / (1 + np.exp(-VALUES)))
        finally:
            plugins.unregister("numba_softplus")

    def test_a_generalized_ufunc_and_a_compiled_function(self):
        import numba

        @numba.guvectorize(["void(float64[:], float64[:])"], "(n)->()")
        def total(x, out):
            out[0] = x.sum()

        assert total(Tensor(VALUES)).tolist() == VALUES.sum(axis=1).tolist()
        with pytest.raises(NoRuleError, match="total"):
            total(tracked()).sum().backward()
        compiled = numba.njit(lambda x: x.sum())
        assert compiled(Tensor(VALUES).data) == VALUES.sum()
        with pytest.raises(numba.TypingError):  # takes its known types only
            compiled(tracked())


def test_safetensors_exchanges_arrays(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    layer = Linear(3, 2, generator=0)
    file = tmp_path / "layer.safetensors"
    safetensors.save_file(layer.state_dict(), file)
    other = Linear(3, 2)
    other.load_state_dict(safetensors.load_file(file))
    assert np.array_equal(other.weight.data, layer.weight.data)


@pytest.mark.peers("torch", "safetensors")
def test_weights_go_to_pytorch_and_back(torch, tmp_path):
    from safetensors.numpy import save_file
    from safetensors.torch import load_file

    from tinytorch_modules import load_torch_state, torch_state

    ours, theirs = Linear(3, 2, generator=0), torch.nn.Linear(3, 2)
    save_file(torch_state(ours), tmp_path / "ours.safetensors", {"format": "pt"})
    theirs.load_state_dict(load_file(tmp_path / "ours.safetensors"))
    x = np.ones((1, 3), np.float32)
    np.testing.assert_allclose(theirs(torch.from_numpy(x)).detach(), ours(x).data, rtol=1e-6)
    torch.save(theirs.state_dict(), tmp_path / "theirs.pt")
    load_torch_state(again := Linear(3, 2), tmp_path / "theirs.pt")
    assert np.array_equal(again.weight.data, ours.weight.data)


@pytest.mark.peers("dask.array")
def test_an_array_of_dask_holds_tracked_tensors():
    import dask.array as da

    x = tracked()
    chunks = da.from_array(x, chunks=2)
    y = (chunks * 2).sum().compute(scheduler="synchronous")
    y.backward()
    assert x.grad.tolist() == [[2, 2]] * 3
