"""Array, an array of JAX with NumPy's protocols, so that ops and rules run on it unchanged."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from tinytorch_core import Tensor
from tinytorch_core.extend import unwrap

from tinytorch_xla.engine import in_64_bits, is_traced, jax, jnp
from tinytorch_xla.errors import not_writable, traced_value_error, user_line


class Array(NDArrayOperatorsMixin):
    """An array on a device of JAX, or one that is being traced by `jit` or `vmap`.

    NumPy's functions, ufuncs, operators and methods run on it, with NumPy's dtypes. It cannot be
    modified: `x += y` computes a new array. `np.asarray(x)` copies it back from the device.

    Args:
        value: an array of JAX.

    >>> import numpy as np
    >>> x = Array(jnp.ones(3, np.float32))
    >>> np.exp(x - x)
    Array([1., 1., 1.])
    >>> np.asarray(x)
    array([1., 1., 1.], dtype=float32)
    """

    # `checked` is what has checked the values, which cannot change.
    __slots__ = ("__weakref__", "checked", "value")
    __array_priority__ = 1000
    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as for an ndarray
    __match_args__ = ()

    # How NumPy's functions run on arrays of JAX; assigned by the module `functions`, which needs
    # this class.
    call_ufunc: ClassVar[Callable[..., Any]]
    call_function: ClassVar[Callable[..., Any]]
    call_kernel: ClassVar[Callable[..., Any]]

    def __init__(self, value: Any) -> None:
        self.value = value
        self.checked: Any = None

    shape = property(lambda self: self.value.shape)
    dtype = property(lambda self: np.dtype(self.value.dtype))
    ndim = property(lambda self: len(self.value.shape))
    size = property(lambda self: self.value.size)
    itemsize = property(lambda self: self.dtype.itemsize)
    nbytes = property(lambda self: self.size * self.dtype.itemsize)

    @property
    def device(self) -> Any:
        """The device of JAX, or the sharding over several; None while it is traced."""
        return None if is_traced(self.value) else self.value.device

    def to_device(self, device: Any, *, stream: Any = None) -> Array:
        """Return the array on a device of JAX, or with a sharding. JAX has no streams."""
        if stream is not None:
            raise ValueError(f"JAX has no streams, but to_device was called with stream={stream!r}")
        return Array(jax.device_put(self.value, device))

    # Conversions to something with values.

    def _concrete(self, what: str) -> Any:
        """Return a copy as an ndarray, or raise because a conversion needs values."""
        if is_traced(self.value):
            raise traced_value_error(what)
        return np.asarray(self.value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        return np.array(self._concrete("np.asarray()"), dtype=dtype)

    def item(self, *index: Any) -> Any:
        """Return an element as a Python number.

        Raises:
            TracedValueError: `jit` or `vmap` traces the program.
        """
        return self._concrete("item()").item(*index)

    def tolist(self) -> Any:
        """Return the elements as nested lists.

        Raises:
            TracedValueError: `jit` or `vmap` traces the program.
        """
        return self._concrete("tolist()").tolist()

    def __bool__(self) -> bool:
        return bool(self._concrete("bool(), as in a branch,"))

    def __float__(self) -> float:
        return float(self._concrete("float()"))

    def __int__(self) -> int:
        return int(self._concrete("int()"))

    def __complex__(self) -> complex:
        return complex(self._concrete("complex()"))

    def __index__(self) -> int:
        return operator.index(self._concrete("an index or a number of repetitions"))

    def __contains__(self, item: Any) -> bool:
        return bool((self == item).any())

    def __format__(self, spec: str) -> str:
        return format(self._concrete("format()").item() if spec else str(self), spec)

    def __repr__(self) -> str:
        if is_traced(self.value):
            return f"<traced array of shape {self.shape}, {self.dtype}>"
        return f"Array({np.array2string(np.asarray(self.value), separator=', ')})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (self._concrete("a pickle or a copy"),)

    def __copy__(self) -> Array:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Array:
        return self.copy()

    def __dlpack__(self, **options: Any) -> Any:
        """Return the memory for another library's `from_dlpack`."""
        self._concrete("from_dlpack()")
        return self.value.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.value.__dlpack_device__()

    # NumPy's protocols.

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if any(_is_foreign(type(i)) for i in inputs):
            return NotImplemented
        if method == "at" or any(out is not None for out in options.get("out", ())):
            raise not_writable(f"np.{ufunc.__name__} with {'at' if method == 'at' else 'out='}")
        options.pop("out", None)
        return Array.call_ufunc(ufunc, method, inputs, options)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if any(map(_is_foreign, types)):
            return NotImplemented
        if kwargs.pop("out", None) is not None:
            raise not_writable(f"{function.__name__} with out=")
        return Array.call_function(function, args, kwargs)

    def __tinytorch_kernel__(self, kernel: Any, args: tuple[Any, ...]) -> Any:
        return Array.call_kernel(kernel, args)

    # Parts, and the methods of ndarrays.

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array of shape ()")
        return int(self.shape[0])

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    @in_64_bits
    def __getitem__(self, index: Any) -> Any:
        index = unwrap(index)
        parts = index if isinstance(index, tuple) else (index,)
        for part in parts:
            if isinstance(part, Array) and _is_mask(part) and is_traced(part.value):
                raise traced_value_error("indexing by a mask, whose result has an unknown shape,")
        _check_numbers(parts, self.shape)
        return Array(self.value[unwrapped_index(index)])

    def __setitem__(self, index: Any, value: Any) -> None:
        raise not_writable("item assignment")

    @property
    def T(self) -> Any:
        return Array(self.value.T)

    @property
    def mT(self) -> Any:
        return Array(self.value.mT)

    @property
    @in_64_bits
    def real(self) -> Any:
        return Array(jnp.real(self.value))

    @property
    @in_64_bits
    def imag(self) -> Any:
        return Array(jnp.imag(self.value))

    @property
    def flat(self) -> Any:
        return iter(self.reshape(-1))

    @in_64_bits
    def astype(self, dtype: Any, order: str = "K", copy: bool = True, **options: Any) -> Any:
        """Return the elements in another dtype."""
        dtype = np.dtype(dtype)
        if self.dtype.kind == "c" and dtype.kind in "fiu":
            return Array(jnp.real(self.value).astype(dtype))
        return Array(self.value.astype(dtype))

    @in_64_bits
    def copy(self, order: str = "K") -> Array:
        """Return a copy, which stays valid if a compiled step reuses the memory of the array."""
        return self if is_traced(self.value) else Array(self.value.copy())

    @in_64_bits
    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Any:
        """Return the elements in another shape."""
        given = shape[0] if len(shape) == 1 else shape
        order = "C" if order == "A" else order
        try:
            return Array(jnp.reshape(self.value, given, order=order))
        except TypeError as error:  # JAX's error for a size that does not fit
            raise ValueError(str(error)) from None

    def transpose(self, *axes: Any) -> Any:
        """Return the array with its axes in another order, by default reversed."""
        given = axes[0] if len(axes) == 1 else axes or None
        return Array.call_function(np.transpose, (self, given), {})

    def conjugate(self) -> Any:
        """Return the complex conjugate of each element."""
        return np.conjugate(self)

    conj = conjugate

    def flatten(self, order: str = "C") -> Any:
        """Return the elements in one dimension."""
        return self.reshape(-1, order=order)

    def view(self, *args: Any, **kwargs: Any) -> Any:
        """Refuse: the memory of the array cannot be seen as another dtype."""
        raise not_writable("view()")

    fill = put = sort = resize = partition = setflags = view


def _rebuilt(values: np.ndarray[Any, Any]) -> Array:
    with jax.enable_x64(True):
        return Array(jnp.asarray(values))


def _is_foreign(kind: type) -> bool:
    """Return whether a type has its own protocol and must handle the call, as Tensors must."""
    if issubclass(kind, Array | np.ndarray | np.generic):
        return False
    handler = getattr(kind, "__array_ufunc__", None)
    return issubclass(kind, Tensor) or (
        handler is not None and not getattr(kind, "__tinytorch_xla_number__", False)
    )


def unwrapped(value: Any) -> Any:
    """Return a value with arrays of JAX in place of ours, in nested lists, tuples and dicts too."""
    if isinstance(value, Array):
        return value.value
    if type(value) in (list, tuple):
        return type(value)(map(unwrapped, value))
    if type(value) is dict:
        return {name: unwrapped(item) for name, item in value.items()}
    traced = getattr(value, "__tinytorch_xla_number__", None)
    return value if traced is None else traced()


def wrapped(value: Any) -> Any:
    """Return a value with our arrays in place of those of JAX, in tuples and lists too."""
    if isinstance(value, jax.Array):
        return Array(value)
    if isinstance(value, tuple | list):
        items = [wrapped(item) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else type(value)(items)
    return value


def unwrapped_index(index: Any) -> Any:
    """Return an index of which JAX accepts each part: lists become ndarrays."""
    if isinstance(index, tuple):
        return tuple(map(unwrapped_index, index))
    if isinstance(index, list):
        return np.asarray(index, dtype=None if index else np.intp)
    if isinstance(index, slice):
        return slice(*(None if i is None else operator.index(i) for i in _ends(index)))
    return unwrapped(index)


def _ends(index: slice) -> tuple[Any, Any, Any]:
    return index.start, index.stop, index.step


def _check_numbers(parts: tuple[Any, ...], shape: tuple[int, ...]) -> None:
    """Raise IndexError for a number that is out of range, which JAX would replace by the last."""
    axes = [p for p in parts if p is not None]
    numbers = [p for p in axes if isinstance(p, int | np.integer) and not isinstance(p, bool)]
    if not numbers or any(_is_mask(p) for p in axes):
        return
    at = next((i for i, p in enumerate(axes) if p is Ellipsis), None)
    if at is not None:
        axes[at : at + 1] = [slice(None)] * (len(shape) - len(axes) + 1)
    for axis, (part, length) in enumerate(zip(axes, shape, strict=False)):
        if isinstance(part, int | np.integer) and not -length <= part < length:
            raise IndexError(
                f"{user_line()}: index {part} is out of bounds for axis {axis} with size {length}"
            )


def _is_mask(part: Any) -> bool:
    return getattr(getattr(part, "dtype", None), "kind", "") == "b"


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np, name)

    def method(self: Array, *args: Any, **options: Any) -> Any:
        if options.pop("out", None) is not None:
            raise not_writable(f"{name} with out=")
        return Array.call_function(function, (self, *args), options)

    method.__name__ = name
    method.__doc__ = f"Return `np.{name}` of the array."
    return method


def _not_in_place(self: Array, other: Any) -> Any:
    return NotImplemented  # Python then computes x = x + y for `x += y`


_METHODS = """
    all any argmax argmin argsort clip cumprod cumsum diagonal dot max mean min nonzero prod ravel
    repeat round searchsorted squeeze std sum swapaxes take trace var
"""
for _name in _METHODS.split():
    setattr(Array, _name, _method(_name))
_IN_PLACE = "add sub mul matmul truediv floordiv mod pow lshift rshift and xor or"
for _name in _IN_PLACE.split():
    setattr(Array, f"__i{_name}__", _not_in_place)
