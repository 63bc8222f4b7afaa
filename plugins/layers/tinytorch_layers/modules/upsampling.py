"""The layer that resizes images and sequences."""

from __future__ import annotations

from typing import Any

from tinytorch_core import Tensor

from tinytorch_layers.functional.interpolation import check_options, resized
from tinytorch_modules import Module

Array = Any


class Upsample(Module):
    """Resizes images or sequences; see `functional.interpolate`.

    The input has shape (N, C, L) or (N, C, H, W).

    Args:
        size, scale_factor, mode, align_corners, recompute_scale_factor: as for
            `functional.interpolate`.

    Raises:
        TypeError, ValueError: an argument has the wrong type, is out of range, or contradicts
            another one.

    >>> import numpy as np
    >>> Upsample(scale_factor=2)(np.array([[[1.0, 2.0, 4.0]]]))
    array([[[1., 1., 2., 2., 4., 4.]]])
    """

    def __init__(
        self,
        size: Any = None,
        scale_factor: Any = None,
        mode: str = "nearest",
        align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        check_options(
            type(self).__name__, size, scale_factor, mode, align_corners, recompute_scale_factor
        )
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners = align_corners
        self.recompute_scale_factor = recompute_scale_factor

    def forward(self, x: Array) -> Tensor:
        options = bool(self.align_corners), bool(self.recompute_scale_factor)
        return resized(self, x, self.size, self.scale_factor, self.mode, *options)

    def extra_repr(self) -> str:
        return self._options(
            size=None,
            scale_factor=None,
            mode="nearest",
            align_corners=None,
            recompute_scale_factor=None,
        ).removeprefix(", ")


class UpsamplingNearest2d(Upsample):
    """Copies the pixels of images: `Upsample` in the mode "nearest".

    Arguments and errors are those of `Upsample`.
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """Interpolates the pixels of images: `Upsample` in the mode "bilinear", with `align_corners`.

    Arguments and errors are those of `Upsample`.
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)

    def extra_repr(self) -> str:
        return self._options(size=None, scale_factor=None).removeprefix(", ")
