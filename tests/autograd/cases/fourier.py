"""numpy.fft: transforms of real and complex numbers, along one axis or several."""

from .described import Described
from .matrices import parts

SHAPES = ((4,), (5,), (3, 4))
LONGER_SHORTER = [{}, {"n": 6}, {"n": 3}, {"norm": "ortho"}, {"n": 7, "norm": "forward"}]
ALONG = [*LONGER_SHORTER, {"axis": 0}, {"n": 5, "axis": 0, "norm": "backward"}]


def call_for_parts(function, x, **parameters):
    """Return the real and the imaginary part of the result of a function."""
    return parts(function(x, **parameters))


def in_torch(name, complex_result):
    def theirs(torch, x, n=None, axis=-1, norm=None):
        return split_complex(getattr(torch.fft, name)(x, n, axis, norm), complex_result)

    return theirs


def in_torch_along_axes(name, complex_result):
    def theirs(torch, x, s=None, axes=None, norm=None):
        options = {} if axes is None and name.endswith("2") else {"dim": axes}
        return split_complex(getattr(torch.fft, name)(x, s, norm=norm, **options), complex_result)

    return theirs


def split_complex(out, complex_result):
    return [out.real, out.imag] if complex_result else out


def transform(name, complex_input, complex_result, **options):
    return Described(
        f"fft.{name}",
        options.pop("shapes", SHAPES),
        call=call_for_parts if complex_result else Described.call,
        torch=in_torch(name, complex_result),
        jax=False,
        complex=complex_input,
        min_dims=1,
        min_side=2,
        order=3,
        **{"parameters": ALONG, **options},
    )


SEVERAL = [
    {},
    {"axes": (0, 1)},
    {"s": (3, 4), "axes": (1, 2)},
    {"s": (4, 3), "axes": (-1, 0), "norm": "ortho"},
]


def over_axes(name, complex_input, complex_result):
    parameters = SEVERAL if name.endswith("n") else SEVERAL[:3]
    return Described(
        f"fft.{name}",
        ((2, 3, 4),),
        parameters=parameters,
        call=call_for_parts if complex_result else Described.call,
        torch=in_torch_along_axes(name, complex_result),
        jax=False,
        complex=complex_input,
        drawn=None,
        order=3,
    )


def shift(name):
    def theirs(torch, x, axes=None):
        return getattr(torch.fft, name)(x, axes)

    return Described(
        f"fft.{name}",
        ((4,), (3, 4)),
        parameters=[{}, {"axes": 0}, {"axes": (0,)}],
        torch=theirs,
        complex=True,
        min_dims=1,
        order=3,
    )


DESCRIBED = (
    transform("fft", True, True),
    transform("ifft", True, True),
    transform("rfft", False, True),
    transform("irfft", True, False),
    transform("hfft", True, False),
    transform("ihfft", False, True),
    over_axes("fft2", True, True),
    over_axes("ifft2", True, True),
    over_axes("fftn", True, True),
    over_axes("ifftn", True, True),
    over_axes("rfft2", False, True),
    over_axes("rfftn", False, True),
    over_axes("irfft2", True, False),
    over_axes("irfftn", True, False),
    shift("fftshift"),
    shift("ifftshift"),
)
