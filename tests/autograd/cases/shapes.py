"""Functions that change the shape of an array."""

import numpy as np

from .case import SAME, Case, cubed, spread


def shapes():
    x = (spread((2, 3, 4)),)
    for name, function, theirs in (
        ("reshape(6, -1)", lambda x: x.reshape(6, -1), SAME),
        ("reshape((4, 6))", lambda x: x.reshape((4, 6)), SAME),
        ("reshape(-1)", lambda x: x.reshape(-1), SAME),
        ("permute(2, 0, 1)", lambda x: x.permute(2, 0, 1), SAME),
        ("permute((-1, 0, -2))", lambda x: x.permute((-1, 0, -2)), SAME),
        ("transpose()", lambda x: x.transpose(), lambda torch, x: x.mT),
        ("transpose(0, -1)", lambda x: x.transpose(0, -1), SAME),
        ("T", lambda x: x.T, lambda torch, x: x.permute(2, 1, 0)),
        ("mT", lambda x: x.mT, SAME),
        ("copy()", lambda x: x.copy(), lambda torch, x: x.clone()),
        ("astype", lambda x: x.astype(x.dtype), lambda torch, x: x),
        ("np.reshape", lambda x: np.reshape(x, (3, 8)), lambda torch, x: x.reshape(3, 8)),
        ("np.transpose", lambda x: np.transpose(x, (1, 2, 0)), lambda torch, x: x.permute(1, 2, 0)),
        ("np.swapaxes", lambda x: np.swapaxes(x, 0, 1), lambda torch, x: x.swapaxes(0, 1)),
        ("np.ravel", np.ravel, lambda torch, x: x.ravel()),
        ("np.squeeze", lambda x: np.squeeze(x[:1]), lambda torch, x: x[:1].squeeze()),
        ("np.squeeze axis", lambda x: np.squeeze(x[:, :1], 1), lambda torch, x: x[:, 0]),
        ("np.expand_dims", lambda x: np.expand_dims(x, 1), lambda torch, x: x[:, None]),
        (
            "np.expand_dims axes",
            lambda x: np.expand_dims(x, (0, -1)),
            lambda t, x: x[None, ..., None],
        ),
        (
            "np.broadcast_to",
            lambda x: np.broadcast_to(x[:, :1], (5, 2, 3, 4)) * x,
            lambda torch, x: torch.broadcast_to(x[:, :1], (5, 2, 3, 4)) * x,
        ),
    ):
        yield Case(name, cubed(function), x, _cubed_if_other(theirs))
    scalar, empty = (np.array(1.5),), (np.zeros((0, 3)),)
    yield Case("0-d reshape(1, 1)", lambda x: x.reshape(1, 1) ** 3, scalar)
    yield Case("0-d reshape(())", lambda x: x.reshape(1).reshape(()) ** 3, scalar)
    yield Case("0-d T", lambda x: x.T**3, scalar, lambda torch, x: x**3)
    yield Case("0-d np.broadcast_to", lambda x: np.broadcast_to(x, (2, 3)) ** 3, scalar, None)
    yield Case("empty reshape(3, 0)", lambda x: x.reshape(3, 0) ** 3, empty)
    yield Case("empty T", lambda x: x.T**3, empty)


def _cubed_if_other(theirs):
    return theirs if theirs is SAME else lambda torch, x: theirs(torch, x) ** 3
