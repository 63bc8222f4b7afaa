"""The sliding windows of a kernel over images: their number, and the pixels that they cover.

Images have the axes (N, C, H, W) outside of this package. Pooling moves the batch to the end,
(C, H, W, N), and convolution does so unless the images are wide, so that slices consist of long
contiguous runs. The output of a layer already has the memory layout that the next layer needs. In
pooling, the only loop is over the positions in the kernel: for each of them, one slice selects
that pixel of all windows of all images.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinytorch_core.extend import place

from tinytorch_layers.arguments import Pair, pair

Array = Any
Shape = tuple[int, ...]
Slice = tuple[slice, slice, slice]


class Windows(NamedTuple):
    """The geometry of a kernel that slides over images; pairs are for height and width.

    Attributes:
        kernel: the size of the kernel.
        stride: the step of the kernel.
        padding: the number of pixels added at the top, bottom, left and right of each image.
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
            image: the height and width of the images.

        Raises:
            ValueError: the kernel is larger than the padded image.
        """
        top, bottom, left, right = self.padding
        padded = (image[0] + top + bottom, image[1] + left + right)
        extent = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        if extent[0] > padded[0] or extent[1] > padded[1]:
            raise ValueError(
                f"the kernel of {owner} covers {extent[0]} x {extent[1]} pixels, but the padded "
                f"input has only {padded[0]} x {padded[1]}; increase the padding or use a "
                "smaller kernel"
            )
        high, wide = ((n - e) // s + 1 for n, e, s in zip(padded, extent, self.stride, strict=True))
        return high, wide

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


def windows(
    owner: str, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Windows:
    """Return Windows for the arguments of a layer.

    Args:
        owner: the layer or function, for error messages.
        kernel, stride, dilation: an integer, or two for height and width.
        padding: an integer, two integers, "valid" for none, or "same" to keep the size of the
            image. If "same" needs an odd number, the bottom or right gets the extra pixel.

    Raises:
        TypeError, ValueError: an argument has the wrong type or is out of range, or `padding` is
            "same" with a stride.
    """
    kernel = pair(owner, "kernel_size", kernel)
    stride = pair(owner, "stride", stride)
    dilation = pair(owner, "dilation", dilation)
    if padding == "same" and stride != (1, 1):
        raise ValueError(f"padding='same' of {owner} requires a stride of 1, not {stride}")
    if padding == "same":
        extra = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        sides = [side for e in extra for side in (e // 2, e - e // 2)]
    elif padding == "valid":
        sides = [0] * 4
    elif isinstance(padding, str):
        raise ValueError(
            f"padding of {owner} must be 'same', 'valid', or one or two integers, not {padding!r}"
        )
    else:
        sides = [side for side in pair(owner, "padding", padding, minimum=0) for _ in range(2)]
    return Windows(kernel, stride, (sides[0], sides[1], sides[2], sides[3]), dilation)
