"""The sliding windows of a kernel over images: their number, and the pixels that they cover.

Images have the axes (N, C, H, W) outside of this package. Pooling moves the batch to the end,
(C, H, W, N), and convolution does so unless the images are wide, so that slices consist of long
contiguous runs. The output of a layer already has the memory layout that the next layer needs. In
pooling, the only loop is over the positions in the kernel: for each of them, one slice selects
that pixel of all windows of all images.

Sequences (N, C, L) are images of height 1, and an input without a batch axis is a batch of one.
Both need a reshape, which does not copy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core.extend import place

from tinytorch_layers.arguments import Pair, input_shape, shape_error, sizes

Array = Any
Shape = tuple[int, ...]
Slice = tuple[slice, slice, slice]


class Windows(NamedTuple):
    """The geometry of a kernel that slides over images; pairs are for height and width.

    Attributes:
        kernel: the size of the kernel.
        stride: the step of the kernel.
        padding: the number of pixels added at the top, bottom, left and right of each image. In
            convolutions, a negative number at the bottom or right leaves out pixels there.
        dilation: the spacing of the kernel's elements.
    """

    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: Pair = (1, 1)

    @property
    def disjoint(self) -> bool:
        """Whether no two windows cover the same pixel."""
        return self.dilation == (1, 1) and all(
            s >= k for s, k in zip(self.stride, self.kernel, strict=True)
        )

    def size(self, owner: object, image: tuple[int, ...]) -> Pair:
        """Return the number of windows in each direction.

        Args:
            owner: the layer or function, for the error message.
            image: the height and width of the images, or the length of the sequences.

        Raises:
            ValueError: the kernel is larger than the padded image.
        """
        axes, image = len(image), (1, *image)[-2:]
        top, bottom, left, right = self.padding
        padded = (image[0] + top + bottom, image[1] + left + right)
        extent = self.extent
        if extent[0] > padded[0] or extent[1] > padded[1]:
            covered, given = (" x ".join(map(str, n[-axes:])) for n in (extent, padded))
            raise ValueError(
                f"the kernel of {owner} covers {covered} {'pixels' if axes == 2 else 'elements'}, "
                f"but the padded input has only {given}; increase the padding or use a smaller "
                "kernel"
            )
        high, wide = ((n - e) // s + 1 for n, e, s in zip(padded, extent, self.stride, strict=True))
        return high, wide

    @property
    def extent(self) -> Pair:
        """The height and width that a window covers, with the gaps of the dilation."""
        (kh, kw), (dh, dw) = self.kernel, self.dilation
        return dh * (kh - 1) + 1, dw * (kw - 1) + 1

    def spanned(self, size: tuple[int, ...]) -> Pair:
        """Return the height and width of the smallest images that have `size` windows."""
        (kh, kw), (sh, sw), (top, bottom, left, right) = self.extent, self.stride, self.padding
        return (size[0] - 1) * sh + kh - top - bottom, (size[1] - 1) * sw + kw - left - right

    def rounded_up(self, image: tuple[int, ...]) -> Windows:
        """Return Windows with more padding at the end, if that makes room for one more window.

        The last window of each direction may then contain padding that is not part of `padding`,
        but it begins before the end of the image, as with `ceil_mode` in PyTorch.

        Args:
            image: the height and width of the images.
        """
        sides = []
        geometry = (image, self.extent, self.stride, self.padding[::2], self.padding[1::2])
        for length, extent, step, before, after in zip(*geometry, strict=True):
            count = -(-(length + before + after - extent) // step) + 1
            if (count - 1) * step >= length + before:
                count -= 1
            needed = (count - 1) * step + extent - length - before
            sides += [before, max(needed, after) if count > 0 else after]
        return self._replace(padding=(sides[0], sides[1], sides[2], sides[3]))

    def slices(self, size: Pair) -> Iterator[tuple[Pair, Slice]]:
        """Yield each position in the kernel with the slice of its pixels in padded images."""
        (high, wide), (down, right) = self.stride, self.dilation
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                rows = slice(i * down, i * down + high * size[0], high)
                columns = slice(j * right, j * right + wide * size[1], wide)
                yield (i, j), (slice(None), rows, columns)

    def pad(self, images: Array, value: float = 0) -> Array:
        """Return (C, H, W, N) padded with `value`; without padding, the images themselves."""
        if not any(self.padding):
            return images
        if not isinstance(images, np.ndarray):
            top, bottom, left, right = self.padding
            widths = ((0, 0), (top, bottom), (left, right), (0, 0))
            return np.pad(images, widths, constant_values=value)
        out = np.full_like(images, value, shape=self.padded(images.shape), order="C")
        out[self._inside(images.shape)] = images
        return out

    def crop(self, padded: Array, shape: Shape) -> Array:
        """Return images of `shape` without their padding: the inverse of `pad`."""
        return padded[self._inside(shape)] if any(self.padding) else padded

    def padded(self, shape: Shape) -> Shape:
        """Return the shape of padded images, given their shape (C, H, W, N)."""
        top, bottom, left, right = self.padding
        channels, high, wide, count = shape
        return channels, top + high + bottom, left + wide + right, count

    def _inside(self, shape: Shape) -> Slice:
        top, _, left, _ = self.padding
        return slice(None), slice(top, top + shape[1]), slice(left, left + shape[2])


def batch_last(images: Array) -> Array:
    """Return (N, C, H, W) as (C, H, W, N), without copying."""
    return images.transpose((1, 2, 3, 0))


def batch_first(images: Array) -> Array:
    """Return (C, H, W, N) as (N, C, H, W), without copying."""
    return images.transpose((3, 0, 1, 2))


def contiguous(images: Array) -> Array:
    """Return a copy of images that can be written into; one of another library is returned."""
    return images.copy(order="K") if isinstance(images, np.ndarray) else images


def add_at(images: Array, pixels: Slice, values: Array) -> Array:
    """Return images with `values` added at a slice; ndarrays are written into."""
    if isinstance(values, np.ndarray):
        images[pixels] += values
        return images
    return images + place(values, pixels, images.shape)


def checked_shape(owner: object, x: Array, axes: int, channels: Any = "C") -> Shape:
    """Return the shape of images or sequences after checking it.

    Args:
        owner: the layer or function, for error messages.
        x: a Tensor or array of shape (N, C, H, W) or (C, H, W), or (N, C, L) or (C, L).
        axes: 2 for images, 1 for sequences.
        channels: the expected number of channels; by default any.

    Raises:
        TypeError: x is not a Tensor or an array, or is not floating.
        ValueError: x has another shape.
    """
    shape = input_shape(owner, x)
    if len(shape) - axes not in (1, 2) or channels not in ("C", shape[-axes - 1]):
        single = f"{channels}, {'H, W' if axes == 2 else 'L'}"
        raise shape_error(owner, f"(N, {single}) or ({single})", shape)
    return shape


def as_images(x: Array, axes: int) -> Array:
    """Return images or sequences, with or without a batch axis, as (N, C, H, W)."""
    shape = x.shape
    if len(shape) == 4:
        return x
    batch = shape[: -axes - 1] or (1,)
    return x.reshape((*batch, shape[-axes - 1], *(1,) * (2 - axes), *shape[-axes:]))


def as_given(images: Array, shape: Shape, axes: int) -> Array:
    """Return images (N, C, H, W) in the form of an input of `shape`: the inverse of `as_images`."""
    if len(shape) == 4:
        return images
    _, channels, *size = images.shape
    return images.reshape((*shape[: -axes - 1], channels, *size[-axes:]))


def windows(
    owner: str,
    kernel: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    axes: int = 2,
) -> Windows:
    """Return Windows for the arguments of a layer.

    Args:
        owner: the layer or function, for error messages.
        kernel, stride, dilation: an integer, or one for each axis.
        padding: an integer, one for each axis, "valid" for none, or "same" to keep the size of the
            image. If "same" needs an odd number, the bottom or right gets the extra pixel.
        axes: 2 for images; 1 for sequences, which are images of height 1.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range, or `padding` is
            "same" with a stride.
    """
    kernel = pair(owner, "kernel_size", kernel, axes)
    stride = pair(owner, "stride", stride, axes)
    dilation = pair(owner, "dilation", dilation, axes)
    if padding == "same" and stride != (1, 1):
        raise ValueError(f"padding='same' of {owner} requires a stride of 1, not {stride[-axes:]}")
    if padding == "same":
        extra = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        sides = [side for e in extra for side in (e // 2, e - e // 2)]
    elif padding == "valid":
        sides = [0] * 4
    elif isinstance(padding, str):
        expected = "one or two integers" if axes == 2 else "an integer"
        raise ValueError(
            f"padding of {owner} must be 'same', 'valid', or {expected}, not {padding!r}"
        )
    else:
        sides = [side for side in pair(owner, "padding", padding, axes, 0) for _ in range(2)]
    return Windows(kernel, stride, (sides[0], sides[1], sides[2], sides[3]), dilation)


def pair(owner: str, name: str, value: Any, axes: int, minimum: int = 1) -> Pair:
    """Return an argument for height and width; for sequences, the height gets `minimum`.

    So a kernel, a stride or a dilation has height 1, and a padding has height 0. Raises what
    `sizes` raises.
    """
    high, wide = (minimum, *sizes(owner, name, value, axes, minimum))[-2:]
    return high, wide
