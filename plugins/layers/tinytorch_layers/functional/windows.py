"""The windows that a kernel sees of an image: where they lie, and how they are taken and put back.

Outside, images have the axes N, C, H, W; here and in the ops the batch comes last: C, H, W, N. So
it also lies in memory, as far as layers follow each other, and whatever a kernel takes comes in
long runs. The one loop is over the places in the kernel: for each of them a slice holds what all
windows of all images see there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from tinytorch_layers.arguments import Pair, pair

Array = Any
Shape = tuple[int, ...]
Slice = tuple[slice, slice, slice]


class Windows(NamedTuple):
    """How a kernel moves over an image; two numbers are for height and width.

    Attributes:
        kernel: the size of the window.
        stride: how far it moves.
        padding: how many zeros, or for a maximum infinities, are put around the image: on top,
            below, on the left and on the right.
        dilation: how far apart the places of the kernel lie.
    """

    kernel: Pair
    stride: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: Pair = (1, 1)

    @property
    def apart(self) -> bool:
        """Whether no two windows see the same pixel."""
        return self.dilation == (1, 1) and all(
            s >= k for s, k in zip(self.stride, self.kernel, strict=True)
        )

    def size(self, owner: object, image: tuple[int, ...]) -> Pair:
        """How many windows there are in each direction.

        Args:
            owner: who is to be named in an error.
            image: the image's height and width.

        Raises:
            ValueError: there is none, because the kernel is larger than the padded image.
        """
        top, below, left, right = self.padding
        padded = (image[0] + top + below, image[1] + left + right)
        reach = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        if reach[0] > padded[0] or reach[1] > padded[1]:
            raise ValueError(
                f"the kernel of {owner} covers {reach[0]} x {reach[1]}, and the padded input has "
                f"only {padded[0]} x {padded[1]}; pad more, or use a smaller kernel"
            )
        high, wide = ((n - r) // s + 1 for n, r, s in zip(padded, reach, self.stride, strict=True))
        return high, wide

    def slices(self, size: Pair) -> Iterator[tuple[Pair, Slice]]:
        """For each place in the kernel, what all windows see there of padded images."""
        (high, wide), (down, right) = self.stride, self.dilation
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                rows = slice(i * down, i * down + high * size[0], high)
                columns = slice(j * right, j * right + wide * size[1], wide)
                yield (i, j), (slice(None), rows, columns)

    def pad(self, images: Array, value: float = 0) -> Array:
        """The images with `value` around them; themselves if there is no padding."""
        if not any(self.padding):
            return images
        out = np.full_like(images, value, shape=self.padded(images.shape), order="C")
        out[self._inside(images.shape)] = images
        return out

    def crop(self, padded: Array, shape: Shape) -> Array:
        """What `pad` had put the padding around, images of `shape`."""
        return padded[self._inside(shape)] if any(self.padding) else padded

    def padded(self, shape: Shape) -> Shape:
        """The shape that images of `shape` have once they are padded."""
        top, below, left, right = self.padding
        channels, high, wide, count = shape
        return channels, top + high + below, left + wide + right, count

    def _inside(self, shape: Shape) -> Slice:
        top, _, left, _ = self.padding
        return slice(None), slice(top, top + shape[1]), slice(left, left + shape[2])


def batch_last(images: Array) -> Array:
    """(C, H, W, N) from (N, C, H, W), without moving anything in memory."""
    return images.transpose((1, 2, 3, 0))


def batch_first(images: Array) -> Array:
    """(N, C, H, W) from (C, H, W, N), without moving anything in memory."""
    return images.transpose((3, 0, 1, 2))


def windows(
    owner: str, kernel: Any, stride: Any = 1, padding: Any = 0, dilation: Any = 1
) -> Windows:
    """Windows from what a person writes.

    Args:
        owner: who is to be named in an error.
        kernel, stride, dilation: an integer, or two for height and width.
        padding: an integer, two, "valid" for none, or "same" for as much as keeps the size of
            the image; of an odd number of zeros more are then below and on the right.

    Raises:
        TypeError, ValueError: one of them is something else, or `padding` is "same" with strides.
    """
    kernel = pair(owner, "kernel_size", kernel)
    stride = pair(owner, "stride", stride)
    dilation = pair(owner, "dilation", dilation)
    if padding == "same" and stride != (1, 1):
        raise ValueError(f"{owner} with a stride of {stride} cannot keep the size of the image")
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
        sides = [side for side in pair(owner, "padding", padding, least=0) for _ in range(2)]
    return Windows(kernel, stride, (sides[0], sides[1], sides[2], sides[3]), dilation)
