"""The array API standard: its functions, and its methods and attributes of Tensors."""

import inspect
import operator
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tinytorch_core import Tensor, plugins

from tinytorch_devkit import StrictArray

from .array_api_calls import ARRAYS, DIFFERENTIABLE, OTHERS, calls, evaluate

xp = Tensor(0.0).__array_namespace__()

SIGNATURES = Path(__file__).with_name("array_api_signatures.txt").read_text("utf-8").splitlines()
CALLS = [*calls(DIFFERENTIABLE), *calls(OTHERS)]
TENSORS = {name: Tensor(array) for name, array in ARRAYS.items()}


def attribute(namespace, name):
    return operator.attrgetter(name)(namespace)


def parameters(function):
    """Return the names, kinds and defaults of a function's parameters."""
    found = inspect.signature(function).parameters.values()
    # array-api-strict marks arguments that are not given by an object of its own.
    defaults = [None if "UNDEF" in repr(p.default) else p.default for p in found]
    return [(p.name, p.kind, default) for p, default in zip(found, defaults, strict=True)]


def functions(namespace):
    modules = {"": namespace, "linalg.": namespace.linalg, "fft.": namespace.fft}
    return {
        prefix + name
        for prefix, module in modules.items()
        for name in module.__all__
        if inspect.isfunction(getattr(module, name)) and "flags" not in name and name[0] != "_"
    }


@pytest.mark.parametrize("line", SIGNATURES, ids=lambda line: line.partition("(")[0])
def test_functions_have_the_signatures_of_the_standard(line):
    name, _, arguments = line.partition("(")
    expected = eval(f"lambda {arguments.removesuffix(')')}: 0".replace(", /,", ", /,"))
    assert parameters(attribute(xp, name)) == parameters(expected)


def test_every_function_has_a_signature_and_a_call():
    names = {line.partition("(")[0] for line in SIGNATURES}
    assert names == functions(xp)
    assert names == {call.partition("(")[0] for call in CALLS}


@pytest.mark.peers("array_api_strict")
def test_signatures_are_those_of_array_api_strict():
    import array_api_strict as strict

    assert functions(strict) == functions(xp)
    for name in functions(strict) - {"expand_dims"}:
        theirs, ours = (parameters(attribute(module, name)) for module in (strict, xp))
        assert ours == theirs, name
    # The version of 2024 has a default.
    assert parameters(xp.expand_dims) == [
        ("x", inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.empty),
        ("axis", inspect.Parameter.POSITIONAL_OR_KEYWORD, 0),
    ]


def same(found, expected, exact_dtype=True):
    if isinstance(found, Tensor):
        found, expected = found.data, np.asarray(expected)
        assert type(found) is np.ndarray
        assert not exact_dtype or found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
    else:
        assert found == expected


@pytest.mark.parametrize("call", CALLS)
def test_the_results_are_those_of_numpy(call):
    # NumPy 2.1 has all names of the standard.
    same(evaluate(call, xp, TENSORS), evaluate(call, np, ARRAYS))


def test_the_results_do_not_depend_on_plugins():
    with plugins.only():
        for call in CALLS:
            same(evaluate(call, xp, TENSORS), evaluate(call, np, ARRAYS))


@pytest.mark.peers("array_api_strict")
# It imports arrays of its own devices only.
@pytest.mark.parametrize("call", [call for call in CALLS if "from_dlpack" not in call])
def test_the_results_are_those_of_array_api_strict(call):
    import array_api_strict as strict

    arrays = {name: strict.asarray(array) for name, array in ARRAYS.items()}
    expected = evaluate(call, strict, arrays)
    found = evaluate(call, xp, TENSORS)
    if isinstance(found, np.dtype):
        expected = expected._np_dtype
    same(found, expected)


class TestConversion:
    def test_a_tensor_is_returned_itself_unless_it_must_be_copied(self):
        x = Tensor([1.0, 2.0])
        assert xp.asarray(x) is x
        assert xp.asarray(x, dtype=xp.float32, device="cpu", copy=False) is x
        copied = xp.asarray(x, copy=True)
        assert not np.shares_memory(copied.data, x.data)
        assert xp.asarray(x, dtype=xp.float64).dtype == np.float64
        assert xp.astype(x, xp.float32, copy=False) is x
        assert xp.astype(x, xp.float32) is not x

    def test_an_array_shares_its_memory(self):
        array = np.zeros(2)
        assert xp.asarray(array).data is array
        assert xp.asarray(array, copy=False).data is array
        assert not np.shares_memory(xp.asarray(array, copy=True).data, array)
        assert xp.from_dlpack(array).data.ctypes.data == array.ctypes.data
        assert not np.shares_memory(xp.from_dlpack(array, copy=True).data, array)

    def test_an_array_of_another_library_is_kept(self):
        array = StrictArray(np.ones(2, np.float32))
        assert xp.asarray(array).data is array
        assert xp.asarray(array, dtype=xp.float64).dtype == np.float64

    def test_numbers_have_the_dtypes_of_numpy(self):
        for data in (1, 1.0, True, 1j, [1, 2], [[1.0], [2]]):
            assert xp.asarray(data).dtype == np.asarray(data).dtype
        assert xp.asarray([1, 2], dtype=xp.int8).dtype == np.int8

    def test_tensors_in_sequences_are_stacked(self):
        x = Tensor(np.array([1.0, 2.0]))
        assert xp.asarray([[x[0], 3.0], (4, x[1])]).tolist() == [[1, 3], [4, 2]]
        assert xp.asarray([x[0], 1], dtype=xp.float32).dtype == np.float32

    @pytest.mark.parametrize(
        ("obj", "options"),
        [
            (Tensor([1.0]), {"dtype": np.float64, "copy": False}),
            ([Tensor([1.0])], {"copy": False}),
            ([1.0], {"copy": False}),
            ([1.0], {"device": "cuda"}),
            (Tensor([1.0]), {"device": "cuda"}),
        ],
    )
    def test_errors_of_values(self, obj, options):
        with pytest.raises(ValueError, match=r"copy|cuda"):
            xp.asarray(obj, **options)

    def test_only_numbers_become_tensors(self):
        with pytest.raises(TypeError, match="a Tensor holds numbers"):
            xp.asarray(["a"])

    def test_from_dlpack_needs_its_methods(self):
        with pytest.raises(TypeError, match="does not support DLPack"):
            xp.from_dlpack([1.0])
        with pytest.raises(ValueError, match="cuda"):
            xp.from_dlpack(np.zeros(2), device="cuda")

    @pytest.mark.parametrize("name", ["zeros", "ones", "empty", "arange", "eye"])
    def test_tensors_are_created_on_the_cpu_only(self, name):
        assert getattr(xp, name)(2, device="cpu").device == "cpu"
        with pytest.raises(ValueError, match=r"on the device 'cpu', not on 'cuda'.*to_device"):
            getattr(xp, name)(2, device="cuda")

    def test_arrays_and_numbers_become_tensors(self):
        for found in (
            xp.add(1, 2),
            xp.add(np.ones(2), 1),
            xp.sin(np.ones(2)),
            xp.stack([[1], [2]]),
        ):
            assert type(found) is Tensor
        assert xp.multiply(np.float32(2), 1.0).dtype == np.float32


class TestFunctions:
    def test_descending_orders_keep_equal_elements_in_order(self):
        x = Tensor(np.array([[1, 3, 1, 3], [2, 2, 0, 5]]))
        assert xp.sort(x, descending=True).tolist() == [[3, 3, 1, 1], [5, 2, 2, 0]]
        assert xp.argsort(x, descending=True).tolist() == [[1, 3, 0, 2], [3, 0, 1, 2]]
        assert xp.argsort(x, axis=0, descending=True).tolist() == [[1, 0, 0, 1], [0, 1, 1, 0]]

    def test_clip_keeps_the_dtype(self):
        x = Tensor(np.array([1, 5], np.int8))
        assert xp.clip(x, Tensor(np.array(2)), None).dtype == np.int8
        assert xp.clip(x).tolist() == [1, 5]

    def test_elements_of_others(self):
        x = Tensor(np.array([[1, 5]]))
        assert xp.isin(x, 5, invert=True).tolist() == [[True, False]]

    def test_frequencies_have_a_dtype(self):
        assert xp.fft.fftfreq(4, dtype=xp.float32).dtype == np.float32
        assert xp.fft.rfftfreq(4, dtype=xp.float32).dtype == np.float32

    @pytest.mark.parametrize("descending", [False, True])
    def test_an_unknown_axis_is_named(self, descending):
        with pytest.raises(np.exceptions.AxisError, match="axis 1 is out of bounds"):
            xp.argsort(Tensor([1.0, 2.0]), axis=1, descending=descending)

    def test_nonzero_of_a_number_is_an_error(self):
        with pytest.raises(ValueError, match="0-d"):
            xp.nonzero(Tensor(1.0))

    def test_a_reshape_without_the_copy_that_it_needs_is_an_error(self):
        x = Tensor([[1.0, 2.0], [3.0, 4.0]])
        assert np.shares_memory(xp.reshape(x, (4,), copy=False).data, x.data)
        assert not np.shares_memory(xp.reshape(x, (4,), copy=True).data, x.data)
        with pytest.raises(ValueError, match="copy"):
            xp.reshape(x.mT, (4,), copy=False)

    def test_limits_are_python_numbers(self):
        info = xp.finfo(xp.complex64)
        assert info.dtype == xp.float32
        assert all(type(value) is float for value in info[1:5])
        assert type(xp.iinfo(xp.uint8).max) is int
        assert xp.iinfo(Tensor(np.zeros(2, np.int16))).bits == 16

    def test_the_namespace_describes_itself(self):
        info = xp.__array_namespace_info__()
        assert xp.__array_api_version__ == "2024.12"
        assert info.default_device() == "cpu"
        assert info.devices() == ["cpu"]
        assert set(info.capabilities()) == {
            "boolean indexing",
            "data-dependent shapes",
            "max dimensions",
        }
        assert info.default_dtypes()["real floating"] == xp.asarray(1.0).dtype
        assert info.default_dtypes(device="cpu")["integral"] == xp.asarray(1).dtype
        assert all(getattr(xp, name) == dtype for name, dtype in info.dtypes().items())
        assert info.dtypes(kind="bool") == {"bool": np.dtype(bool)}
        assert (xp.newaxis, xp.pi, xp.e, xp.inf) == (None, np.pi, np.e, np.inf)
        assert xp.nan != xp.nan

    def test_the_ufuncs_of_scipy_are_found_for_scipy(self):
        from scipy import special

        assert xp.special.erf(Tensor([0.5])).tolist() == special.erf(np.float32([0.5])).tolist()
        for name in ("logsumexp", "unknown"):
            with pytest.raises(AttributeError, match=name):
                getattr(xp.special, name)


class TestTensor:
    def test_the_namespace_of_a_version(self):
        for version in (None, "2021.12", "2022.12", "2023.12", "2024.12"):
            assert Tensor(0.0).__array_namespace__(api_version=version) is xp
        with pytest.raises(ValueError, match=r"unknown version '1999'.*2024\.12"):
            Tensor(0.0).__array_namespace__(api_version="1999")

    def test_it_is_imported_when_it_is_needed(self):
        program = "import sys, tinytorch_core; assert 'tinytorch_core.array_api' not in sys.modules"
        subprocess.run([sys.executable, "-c", program], check=True)

    def test_device(self):
        x = Tensor([1.0])
        assert x.device == "cpu"
        assert x.to_device("cpu") is x
        assert Tensor(StrictArray(np.ones(2))).device == "cpu"
        for device, stream in (("cuda", None), ("cpu", 1)):
            with pytest.raises(ValueError, match=re.escape(repr(device))):
                x.to_device(device, stream=stream)

    def test_an_array_that_can_move_does(self):
        class Movable(StrictArray):
            device = "first"

            def to_device(self, device, stream=None):
                return np.array([device, stream] == ["second", 3])

        moved = Tensor(Movable(np.ones(2))).to_device("second", stream=3)
        assert moved.tolist() is True

    @pytest.mark.parametrize("shift", [operator.lshift, operator.rshift])
    def test_shifts(self, shift):
        a, b = np.array([1, 5, 12], np.int16), np.array([1, 0, 2], np.int16)
        for left, right in ((Tensor(a), b), (Tensor(a), Tensor(b)), (a, Tensor(b)), (Tensor(a), 2)):
            found = shift(left, right)
            expected = shift(np.asarray(left), np.asarray(right, np.int16))
            assert (type(found), found.dtype) == (Tensor, np.int16)
            assert found.tolist() == expected.tolist()
        assert shift(16, Tensor(b)).tolist() == shift(16, b).tolist()

    @pytest.mark.parametrize("shift", [operator.ilshift, operator.irshift])
    def test_shifts_in_place(self, shift):
        x = Tensor(np.array([4, 8]))
        array, expected = x.data, shift(np.array([4, 8]), 1)
        assert shift(x, 1) is x
        assert x.data is array
        assert array.tolist() == expected.tolist()

    def test_shifts_of_other_numbers_are_errors(self):
        with pytest.raises(TypeError, match="left_shift"):
            Tensor([1.0]) << 1
        with pytest.raises(TypeError):
            Tensor(np.array([1])) >> "a"

    def test_dlpack_takes_the_options_of_the_standard(self):
        x = Tensor(np.arange(3.0))
        names = [name for name, *_ in parameters(Tensor.__dlpack__)]
        assert names == ["self", "stream", "max_version", "dl_device", "copy"]
        assert np.from_dlpack(x, device="cpu", copy=True).tolist() == [0, 1, 2]
        assert not np.shares_memory(np.from_dlpack(x, copy=True), x.data)
        assert x.__dlpack_device__() == (1, 0)
