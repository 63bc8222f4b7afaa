"""The plain Tensor: an array, its operators, and NumPy's protocols.

`Tensor` is an empty class. Its base is the surface, a class that the core computes from the active
plugins, and whose base is `TensorBase`. Operators and most methods are ops, so that plugins can
wrap them; the surface gets them from the op table.
"""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

import numpy as np

from tinytorch_core.errors import PluginWarning, did_you_mean

AnyTensor = TypeVar("AnyTensor", bound="TensorBase")
# For `def f(x: AnyArray) -> AnyArray`: a Tensor for a Tensor, an array for an array.
AnyArray = TypeVar("AnyArray", bound=Any)

_np: Any = np  # NumPy's stubs say that its functions return arrays

_SCALARS = (int, float, complex, np.generic)
_NUMBERS = (bool, *_SCALARS, np.ndarray)
# The versions of the array API standard whose functions the namespace has.
_API_VERSIONS = (None, "2021.12", "2022.12", "2023.12", "2024.12")


def as_array(data: Any, dtype: Any = None) -> Any:
    """Return the array that `Tensor(data, dtype)` holds.

    Python numbers and sequences become float32 (complex64 if complex). A NumPy array or scalar, or
    a Tensor, is copied and keeps its dtype. An array of another library that implements NumPy's
    protocols is returned itself, or converted by its own `astype` if it has a different dtype.
    """
    return _copied(data._data if isinstance(data, TensorBase) else data, dtype)


def _copied(data: Any, dtype: Any) -> Any:
    foreign = data.__class__ is not np.ndarray and speaks_numpy(data)
    if data.__class__ is np.ndarray or isinstance(data, np.ndarray | np.generic):
        array = np.array(data, dtype=dtype)
    elif foreign and hasattr(data, "dtype"):
        array = data if dtype is None or data.dtype == dtype else data.astype(dtype)
    else:
        array = _from_python(data, dtype)
    return check_numbers(array, data)


def check_numbers(array: Any, data: Any) -> Any:
    """Return an array that was made of `data`; raise TypeError if it holds other than numbers."""
    if array.dtype.kind not in "biufc":
        raise TypeError(
            f"a Tensor holds numbers, not {array.dtype} as in {data!r:.60}; "
            "convert the data to numbers first"
        )
    return array


def _from_python(data: Any, dtype: Any) -> np.ndarray[Any, Any]:
    try:
        array = np.array(data, dtype=dtype)
    except ValueError as error:
        raise ValueError(f"{data!r:.60} cannot become a Tensor: {error}") from error
    if dtype is not None or hasattr(data, "__array__"):
        return array
    # Integers of more than 64 bits make an array of objects.
    large = array.dtype == object and all(isinstance(number, int) for number in array.flat)
    if large or array.dtype.kind in "biuf":
        return array.astype(np.float32)
    return array.astype(np.complex64) if array.dtype.kind == "c" else array


def speaks_numpy(value: Any) -> bool:
    """Return whether `value` is an array with NumPy's protocols.

    Data with labels, such as a Series of pandas, has a method `to_numpy`. It is not such an array,
    because its operators align labels.

    Raises:
        TypeError: it is masked or a matrix.
    """
    if isinstance(value, np.ndarray) and (isinstance(value, np.matrix) or hasattr(value, "mask")):
        advice = "whose operators differ from an array's; use np.asarray(x), or x.filled(value)"
        raise TypeError(f"a Tensor does not combine with a {type(value).__name__}, {advice}")
    kind = type(value)
    return getattr(kind, "__array_ufunc__", None) is not None and not hasattr(kind, "to_numpy")


def operand(value: Any) -> Any:
    """Return `value` as an operand: a number or an array, or NotImplemented if it is neither.

    Python numbers stay as they are, because NumPy adapts them to the dtype of the array.
    """
    if type(value) in _NUMBERS or isinstance(value, _SCALARS) or speaks_numpy(value):
        return value
    if isinstance(value, list | tuple) or hasattr(type(value), "__array__"):
        return as_array(value)
    return NotImplemented


def only_element(array: Any) -> Any:
    """Return the only element as a Python number; ValueError if there are more, or none."""
    if array.size != 1:
        raise ValueError(f"a tensor of shape {array.shape} is not one number; index or reduce it")
    # Arrays of some libraries, such as Dask, have no such method.
    return array.item() if hasattr(array, "item") else np.asarray(array).item()


class TensorBase:
    """An array of numbers with operators and methods.

    Args:
        data: a number, a (nested) sequence of numbers, an array, or a Tensor. It is copied, unless
            it is an array of another library that implements NumPy's protocols: this is kept.
        dtype: the NumPy dtype; by default float32 for Python numbers and sequences, and that of
            `data` for arrays and Tensors.
        keywords: keywords that the active plugins add.

    Raises:
        TypeError: `data` holds something other than numbers, or a keyword is unknown.
        ValueError: the rows of `data` have different lengths.

    >>> import numpy as np
    >>> from tinytorch_core import Tensor
    >>> Tensor([1, 2, 3]) * 2
    Tensor([2., 4., 6.])
    >>> np.exp(Tensor(0.0))
    Tensor(1.)
    """

    __slots__ = ("__dict__", "__weakref__", "_data")

    _data: Any
    # Set by the surface. First the calls of ops, by name or by the NumPy function they implement.
    _calls: ClassVar[Mapping[str, Callable[..., Any]]]
    _numpy_calls: ClassVar[Mapping[Any, tuple[Callable[..., Any], Any]]]  # the call and the op
    _numpy_functions: ClassVar[Mapping[Any, Callable[..., Any]]]  # other functions, created on use
    _surface: ClassVar[Any]  # the surface's builder

    def __init__(self, data: Any, dtype: Any = None, **keywords: Any) -> None:
        if isinstance(data, TensorBase):
            if self._surface.kept:
                self._keep_attributes(data, "copy")
            data = data._data
        self._data = _copied(data, dtype)
        for name, value in keywords.items():
            self._set_keyword(name, value)

    def _set_keyword(self, name: str, value: Any) -> None:
        surface = self._surface
        if name not in surface.keywords:
            known = ["data", "dtype", *surface.keywords]
            hint = surface.why_missing("keywords", name) or did_you_mean(name, known)
            raise TypeError(f"{type(self).__name__}() has no keyword {name!r}. {hint}")
        surface.keywords[name].set(self, value)

    def _keep_attributes(self, source: TensorBase, form: str) -> None:
        for name in self._surface.kept.get(form, ()):
            if name in vars(source):
                vars(self)[name] = vars(source)[name]

    @classmethod
    def _from_array(cls, array: Any) -> Self:
        """Return a Tensor on `array` itself, without a copy."""
        out = object.__new__(cls)
        out._data = array
        return out

    @property
    def data(self) -> np.ndarray[Any, Any]:
        """The array itself, not a copy. An assignment replaces it, without copying an array."""
        return self._data

    @data.setter
    def data(self, value: Any) -> None:
        if value.__class__ is not np.ndarray:
            value = value._data if isinstance(value, TensorBase) else as_array(value)
        self._data = value

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._data.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._data.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return int(self._data.size)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The NumPy dtype of the elements."""
        return self._data.dtype

    @property
    def device(self) -> Any:
        """The device of the array: "cpu" for a NumPy array, a device or a sharding of JAX."""
        return getattr(self._data, "device", "cpu")

    @property
    def real(self) -> Tensor:
        """The real part of each element."""
        return self._calls["real"](self)

    @property
    def imag(self) -> Tensor:
        """The imaginary part of each element; 0 where they are real."""
        return self._calls["imag"](self)

    def item(self) -> Any:
        """Return the only element as a Python number.

        Raises:
            ValueError: the tensor has more elements, or none.
        """
        return only_element(self._data)

    def tolist(self) -> Any:
        """Return the elements as nested Python lists."""
        return self._data.tolist()

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("a 0-d tensor is not a sequence; item() returns its value")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        return (self[i] for i in range(len(self)))

    def __contains__(self, value: Any) -> bool:
        return bool((self._data == (value._data if isinstance(value, TensorBase) else value)).any())

    def __bool__(self) -> bool:
        if self.size != 1:
            raise ValueError(
                f"the truth of a tensor of shape {self.shape} is ambiguous; "
                "use (x != 0).data.any() or .all()"
            )
        return bool(self._data)

    def __index__(self) -> int:
        if self.shape or self.dtype.kind not in "iu":
            raise TypeError(
                f"only a 0-d integer tensor can be an index, not {self.dtype} of shape {self.shape}"
            )
        return int(self._data)

    def __format__(self, spec: str) -> str:
        return format(self._data.item(), spec) if spec and self.size == 1 else str(self)

    def __repr__(self) -> str:
        name, data = type(self).__name__, self._data
        try:
            if hasattr(data, "__dask_graph__"):  # computing its values may take hours
                raise TypeError
            array = np.asarray(data)
            body = np.array2string(array, separator=", ", prefix=f"{name}(", threshold=1000)
        except TypeError:  # an array of another library that has no values yet
            body = repr(data)
        extras = [text for extra in self._surface.extras if (text := extra(self))]
        if data.dtype != np.float32:
            extras.insert(0, f"dtype={data.dtype}")
        if data.size == 0:
            extras.insert(0, f"shape={data.shape}")
        return f"{name}({', '.join([body, *extras])})"

    def _repr_html_(self) -> str:
        """Return what notebooks display: the repr, at most 4,000 characters, shape and dtype."""
        from html import escape  # only notebooks need it

        text = repr(self)
        # With many axes, even the summary of a large array is long.
        text = text if len(text) <= 4000 else f"{text[:4000]} ..."
        # Exported notebooks show <pre> with the proportional font of text, and JupyterLab with wide
        # margins.
        return (
            f'<pre style="font-family: monospace; margin: 0; padding: 0">{escape(text)}</pre>'
            f"<small>shape {self.shape}, {self.dtype}</small>"
        )

    def reshape(self, *shape: Any) -> Tensor:
        """Return the elements in another shape, given as numbers or as one tuple.

        >>> from tinytorch_core import Tensor
        >>> Tensor([1, 2, 3, 4]).reshape(2, -1).shape
        (2, 2)
        """
        return self._calls["reshape"](self, _spread(shape))

    def permute(self, *axes: Any) -> Tensor:
        """Return the tensor with its axes in another order, given as numbers or as one tuple."""
        return self._calls["permute"](self, _spread(axes))

    def transpose(self, dim0: Any = -2, dim1: int = -1, *others: int) -> Tensor:
        """Return the tensor with two axes swapped, by default the last two.

        A tuple, or more than two numbers, are the order of all axes, as in NumPy.
        """
        if others or not hasattr(dim0, "__index__"):
            return self.permute(dim0, dim1, *others) if others else self.permute(dim0)
        return self._calls["swapaxes"](self, dim0, dim1)

    @property
    def T(self) -> Tensor:
        """All axes in reverse order."""
        return self._calls["permute"](self, None)

    @property
    def mT(self) -> Tensor:
        """The last two axes swapped: each matrix transposed.

        Raises:
            ValueError: the tensor has fewer than two axes.
        """
        if self.ndim < 2:
            raise ValueError(f"mT needs at least two axes, and the tensor has shape {self.shape}")
        return self._calls["swapaxes"](self, -2, -1)

    def matmul(self, other: Any) -> Tensor:
        """Return the matrix product `self @ other`."""
        return self @ other

    # Plain methods, because each op adds to start-up time. Plugins wrap the NumPy calls they make.

    def __divmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return _np.divmod(self, other)

    def __rdivmod__(self, other: Any) -> tuple[Tensor, Tensor]:
        return _np.divmod(other, self)

    def __lshift__(self, other: Any) -> Tensor:
        return _np.left_shift(self, other)

    def __rlshift__(self, other: Any) -> Tensor:
        return _np.left_shift(other, self)

    def __ilshift__(self, other: Any) -> Tensor:
        return _np.left_shift(self, other, out=self)

    def __rshift__(self, other: Any) -> Tensor:
        return _np.right_shift(self, other)

    def __rrshift__(self, other: Any) -> Tensor:
        return _np.right_shift(other, self)

    def __irshift__(self, other: Any) -> Tensor:
        return _np.right_shift(self, other, out=self)

    def all(self, axis: Any = None, keepdims: Any = False) -> Tensor:
        """Return whether all elements are nonzero, of the tensor or along `axis`."""
        return _np.all(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: Any = False) -> Tensor:
        """Return whether any element is nonzero, of the tensor or along `axis`."""
        return _np.any(self, axis=axis, keepdims=keepdims)

    def argsort(self, axis: int | None = -1) -> Tensor:
        """Return the indices that would sort the elements along `axis`."""
        return _np.argsort(self, axis=axis)

    def cumprod(self, axis: int | None = None) -> Tensor:
        """Return the cumulative product, of the flattened tensor or along `axis`."""
        return _np.cumprod(self, axis=axis)

    def cumsum(self, axis: int | None = None) -> Tensor:
        """Return the cumulative sum, of the flattened tensor or along `axis`."""
        return _np.cumsum(self, axis=axis)

    def diagonal(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """Return the diagonal of the matrices in two axes, `offset` above the main diagonal."""
        return _np.diagonal(self, offset, axis1, axis2)

    def dot(self, other: Any) -> Tensor:
        """Return the dot product over the last axis, and the second-to-last axis of `other`."""
        return _np.dot(self, other)

    @property
    def flat(self) -> Tensor:
        """The elements in one dimension; writing into them needs contiguous memory."""
        elements = _np.ravel(self)
        if isinstance(elements.data, np.ndarray) and elements.data.base is None:
            elements.data.flags.writeable = False  # a copy, in which the values would be lost
        return elements

    def nonzero(self) -> tuple[Tensor, ...]:
        """Return the indices of the nonzero elements, an array for each axis."""
        return _np.nonzero(self)

    def ravel(self) -> Tensor:
        """Return the elements in one dimension."""
        return _np.ravel(self)

    flatten = ravel

    def repeat(self, repeats: int | Sequence[int], axis: int | None = None) -> Tensor:
        """Return the elements, or the slices along `axis`, each repeated."""
        return _np.repeat(self, repeats, axis=axis)

    def round(self, decimals: int = 0) -> Tensor:
        """Return the elements rounded to `decimals` digits, halves to even digits."""
        return _np.round(self, decimals)

    __round__ = round

    def sort(self, axis: int = -1, kind: Any = None) -> None:
        """Sort the elements along `axis` in place; `np.sort` returns a sorted copy."""
        self[...] = _np.sort(self, axis, kind)

    def squeeze(self, axis: Any = None) -> Tensor:
        """Return the tensor without the axes of length 1, or without `axis`."""
        return _np.squeeze(self, axis=axis)

    def take(self, indices: Any, axis: int | None = None) -> Tensor:
        """Return the elements, or the slices along `axis`, at these indices."""
        return _np.take(self, indices, axis=axis)

    def trace(self, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
        """Return the sum of the diagonal that `diagonal` returns."""
        return _np.trace(self, offset, axis1, axis2)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.asarray(self._calls["numpy"](self), dtype=dtype, copy=copy)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """Return the functions of the array API standard for Tensors.

        Raises:
            ValueError: `api_version` is not a version of the standard that they implement.
        """
        if api_version not in _API_VERSIONS:
            known = ", ".join(filter(None, _API_VERSIONS))
            raise ValueError(f"unknown version {api_version!r} of the array API; known: {known}")
        # By name, because the namespace is made of functions of Tensors; few programs need it.
        return importlib.import_module("tinytorch_core.array_api")

    def to_device(self, device: Any, /, *, stream: Any = None) -> Any:
        """Return the tensor on a device: itself if it is there.

        Raises:
            ValueError: the array of the tensor cannot be on this device.
        """
        if stream is None and device == self.device:
            return self
        if isinstance(self._data, np.ndarray) or not hasattr(self._data, "to_device"):
            where = f"{device!r}" if stream is None else f"{device!r} with the stream {stream!r}"
            raise ValueError(
                f"a tensor with an array of type {type(self._data).__name__} stays on "
                f"{self.device!r} and cannot move to {where}; create it from an array of a library "
                "that supports the device"
            )
        return run_function(_to_device, self, device, stream)

    def __dlpack__(
        self,
        *,
        stream: Any = None,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[Any, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """Return the memory for another library's `from_dlpack`."""
        options = {
            "stream": stream,
            "max_version": max_version,
            "dl_device": dl_device,
            "copy": copy,
        }
        given = {name: value for name, value in options.items() if value is not None}
        return self._calls["numpy"](self).__dlpack__(**given)  # older arrays know fewer options

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._data.__dlpack_device__()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        # Looked up once, because another thread may toggle plugins meanwhile.
        known = self._numpy_calls.get(ufunc)
        if known is not None and method == "__call__" and not kwargs:
            return known[0](*inputs)
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        result = self._numpy_functions[function](*inputs, **kwargs)
        return _written_into(kwargs["out"], result) if "out" in kwargs else result

    def __array_function__(
        self, function: Any, types: Sequence[type], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        known = self._numpy_calls.get(function)
        if known is not None:
            call, op = known
            fitted = op.fit(function, args, kwargs)
            if fitted is not None:
                return call(*fitted[0], **fitted[1])
        result = self._numpy_functions[function](*args, **kwargs)
        return _written_into(kwargs["out"], result) if "out" in kwargs else result

    def __reduce__(self) -> tuple[Any, ...]:
        surface = self._surface
        values = {name: keyword.get(self) for name, keyword in surface.keywords.items()}
        kept = {k: v for k, v in values.items() if v != surface.keywords[k].default}
        keywords = Keywords(surface, kept) if kept else kept
        # Private attributes belong to plugins, including disabled ones.
        own = surface.providers  # names on the class, whose values are not pickled
        state = {k: v for k, v in vars(self).items() if not k.startswith("_") and k not in own}
        return _rebuild, (type(self), self._data, keywords, state)

    if TYPE_CHECKING:
        # Methods that the surface generates from the ops in core_ops.py. Their results are Tensors,
        # for subclasses too.
        def __add__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def sum(self, axis: Any = None, keepdims: Any = False, **others: Any) -> Tensor: ...
        def __eq__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __ne__(self, other: object) -> Tensor: ...  # type: ignore[override]
        def __int__(self) -> int: ...
        def __float__(self) -> float: ...
        def __complex__(self) -> complex: ...
        def var(self, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Tensor: ...
        def argmax(self, axis: int | None = None, keepdims: bool = False) -> Tensor: ...
        def clip(self, min: Any = None, max: Any = None) -> Tensor: ...
        def astype(self, dtype: Any) -> Tensor: ...
        def numpy(self) -> np.ndarray[Any, Any]: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...

        __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = __matmul__ = __add__
        __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __add__
        __rpow__ = __rmatmul__ = __and__ = __rand__ = __or__ = __ror__ = __add__
        __xor__ = __rxor__ = __lt__ = __le__ = __gt__ = __ge__ = __add__
        __pos__ = __abs__ = __invert__ = exp = log = sqrt = tanh = abs = copy = __neg__
        conj = conjugate = __neg__
        mean = prod = max = min = sum
        std, argmin = var, argmax

        # Attributes that the active plugins add.
        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...


TensorBase.__init__.__qualname__ = "Tensor.__init__"  # the name that Python's own errors show


class Tensor(TensorBase):  # noqa: D101
    __doc__ = TensorBase.__doc__
    __module__ = "tinytorch_core"  # where users import it from
    __slots__ = ()


def _spread(given: tuple[Any, ...]) -> Any:
    """Return `(2, 3)` for both `f(2, 3)` and `f((2, 3))`."""
    return given[0] if len(given) == 1 and not hasattr(given[0], "__index__") else given


class Keywords(dict[str, Any]):
    """The values of keywords for a copy, which is made on the surface of the original.

    Another thread may put another surface in force meanwhile. A pickle contains a plain dict.
    """

    def __init__(self, surface: Any, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.surface = surface

    def __deepcopy__(self, memo: Any) -> Keywords:
        import copy  # only when something is copied, because it takes 0.2 ms

        return Keywords(self.surface, copy.deepcopy(dict(self), memo))

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)


def _rebuild(cls: type[TensorBase], data: Any, keywords: Any, state: Any) -> TensorBase:
    out = cls._from_array(data)
    out.__dict__.update(state)
    surface = getattr(keywords, "surface", cls._surface)
    for name, value in keywords.items():
        if name in surface.keywords:
            surface.keywords[name].set(out, value)
            continue
        why = surface.why_missing("keywords", name) or "No active plugin provides this keyword."
        warnings.warn(
            f"a {cls.__name__} was pickled with {name}={value!r:.60} and is loaded without: {why}",
            PluginWarning,
            stacklevel=2,
        )
    return out


def _written_into(out: Any, result: Any) -> Any:
    """Return the argument `out` that was passed to NumPy, if `result` is on its array."""
    if isinstance(result, tuple):
        return tuple(_written_into(out, r) for r in result)
    for target in out if isinstance(out, tuple) else (out,):
        if isinstance(result, TensorBase) and unwrap(target) is result._data:
            return target
    return result


def from_array(kind: type[AnyTensor], array: Any) -> AnyTensor:
    """Return a Tensor on `array` itself, without a copy, of the class that ops return.

    Args:
        kind: the class of an operand. The result has the class that ops return for it, `Tensor`.
        array: the array.

    >>> import numpy as np
    >>> from tinytorch_core import Tensor
    >>> from_array(Tensor, np.zeros(2))
    Tensor([0., 0.], dtype=float64)
    """
    out: AnyTensor = object.__new__(kind._surface.tensor)
    out._data = array
    return out


def derive(tensor: AnyTensor, array: Any, form: str) -> AnyTensor:
    """Return a Tensor on `array` itself that is another form of `tensor`, made without an op.

    It has those attributes of `tensor` that plugins keep in this form; see
    `TensorExtension.add`.

    Args:
        tensor: the tensor.
        array: the array, of the shape of `tensor`.
        form: `copy` if the values are those of `tensor`, `like` for other values.
    """
    surface = tensor._surface
    out: AnyTensor = object.__new__(surface.tensor)
    out._data = array
    if surface.kept:
        out._keep_attributes(tensor, form)
    return out


def from_dlpack(array: Any) -> Tensor:
    """Return a Tensor on the memory of another library's array.

    Writing into one changes the other. `torch.from_dlpack(tensor)` and the like share memory in
    the other direction. An array on a GPU becomes a Tensor of a CuPy array, and needs CuPy.

    Raises:
        TypeError: `array` lacks `__dlpack__` or `__dlpack_device__`.
        BufferError: its library does not share the memory, such as PyTorch if it tracks the array.

    >>> import numpy as np
    >>> a = np.zeros(2)
    >>> x = from_dlpack(a)
    >>> a[0] = 5
    >>> x
    Tensor([5., 0.], dtype=float64)
    """
    if not (hasattr(array, "__dlpack__") and hasattr(array, "__dlpack_device__")):
        raise TypeError(f"{type(array).__name__} does not support DLPack; Tensor(data) copies it")
    on_gpu = array.__dlpack_device__()[0] == 2  # DLPack's number of CUDA
    library: Any = importlib.import_module("cupy") if on_gpu else np
    return Tensor._from_array(library.from_dlpack(array))


def _to_device(array: Any, device: Any, stream: Any) -> Any:
    return array.to_device(device, stream=stream)


def active_op(kind: type[TensorBase], name: str) -> Callable[..., Any]:
    """Return what runs the op `name` on tensors of class `kind`, as plugins have wrapped it.

    Raises:
        AttributeError: no active plugin provides the op.

    >>> from tinytorch_core import Tensor
    >>> active_op(Tensor, "add")(Tensor([1.0]), 2)
    Tensor([3.])
    """
    return kind._calls[name]


def run_function(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run a function of arrays on Tensors as an op named after it, as NumPy's functions are run.

    The arguments are unwrapped and the results wrapped. Plugins wrap the op, and can recognize
    `function`, to add a rule. At least one argument must be a Tensor, or a list that contains one.
    """
    values = [*args, *kwargs.values()]
    while not isinstance(value := values.pop(0), TensorBase):
        if isinstance(value, list | tuple):
            values += value
    return value._numpy_functions[function](*args, **kwargs)


def to_array(value: Any) -> Any:
    """Return the array of a Tensor, an array unchanged, and anything else as a NumPy array.

    >>> to_array([1, 2])
    array([1, 2])
    """
    if isinstance(value, TensorBase):
        return value._data
    is_array = hasattr(value, "__array_ufunc__") and not hasattr(value, "to_numpy")
    return value if is_array else np.asarray(value)


def unwrap(value: Any) -> Any:
    """Return `value` with each Tensor replaced by its array, in nested containers too.

    >>> from tinytorch_core import Tensor
    >>> unwrap([Tensor(1.0), 2])
    [array(1., dtype=float32), 2]
    """
    if isinstance(value, TensorBase):
        return value._data
    if type(value) in (list, tuple):
        return type(value)(unwrap(v) for v in value)
    if type(value) is dict:
        return {k: unwrap(v) for k, v in value.items()}
    if isinstance(value, slice):
        return slice(unwrap(value.start), unwrap(value.stop), unwrap(value.step))
    return value
