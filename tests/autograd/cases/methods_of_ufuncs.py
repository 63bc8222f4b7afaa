"""The methods of ufuncs: `reduce`, `accumulate`, `reduceat` and `outer`."""

from .described import Described

POSITIVE = (0.7, 1.4)
COMMON = "add multiply maximum minimum"


def method(ufuncs, name, **options):
    return [
        Described(f"{ufunc}.{name}", jax=False, domain=POSITIVE, **options)
        for ufunc in ufuncs.split()
    ]


DESCRIBED = (
    *method(
        f"{COMMON} logaddexp hypot subtract",
        "reduce",
        shapes=((3, 4), (3,)),
        parameters=({}, {"axis": -1, "keepdims": True}),
        min_dims=1,
    ),
    *method(
        "add multiply maximum logaddexp",
        "reduce",
        shapes=((3, 4),),
        parameters=({"axis": None}, {"axis": (0, 1)}, {"axis": 1, "initial": 0.9}),
        drawn=None,
    ),
    *method(
        "add multiply",
        "reduce",
        shapes=((3, 4),),
        parameters=({"where": [[True], [False], [True]]},),
        drawn=None,
    ),
    *method(
        f"{COMMON} logaddexp",
        "accumulate",
        shapes=((3, 4), (0, 3)),
        parameters=({}, {"axis": -1}),
        min_dims=1,
    ),
    *method(
        "add multiply logaddexp",
        "reduceat",
        call=lambda f, x, indices, **p: f(x, indices, **p),
        shapes=((5, 2),),
        parameters=({"indices": [0, 3, 1]}, {"indices": [0, 1], "axis": 1}),
        drawn=None,
    ),
    *method(
        "add multiply maximum arctan2 power",
        "outer",
        shapes=(((2, 3), (4,)), ((), (2,))),
        drawn=None,
    ),
)
