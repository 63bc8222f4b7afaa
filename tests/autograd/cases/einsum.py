"""np.einsum with every form of subscripts."""

from .described import Described

# The subscripts, and the shapes of the operands.
SUBSCRIPTS = (
    ("ij,jk->ik", (2, 3), (3, 4)),
    ("ij,jk", (2, 3), (3, 4)),
    ("ba", (2, 3)),
    ("ij->", (2, 3)),
    ("ij->ji", (2, 3)),
    ("ij->j", (2, 3)),
    ("ii", (3, 3)),
    ("ii->i", (3, 3)),
    ("iij->j", (2, 2, 3)),
    ("iijj->ij", (2, 2, 3, 3)),
    ("iii", (2, 2, 2)),
    (" i, i -> i ", (3,), (3,)),
    ("i,j", (3,), (2,)),
    (",i", (), (2,)),
    ("ij,ij->i", (2, 3), (2, 3)),
    ("ij,k->i", (2, 3), (2,)),
    ("bij,bjk,k->bi", (2, 2, 3), (2, 3, 2), (2,)),
    ("...ij,...jk->...ik", (2, 2, 3), (3, 2)),
    ("...ij,...jk", (4, 1, 2, 3), (2, 3, 2)),
    ("i...->...", (2, 3)),
    ("...,...", (2, 1), (3,)),
    ("...ii->...i", (2, 3, 3)),
    ("ij,jk->ik", (0, 3), (3, 2)),
    ("ij,jk->ik", (2, 0), (0, 2)),
)


def einsum(subscripts, shapes, torch=True, **options):
    def call(function, *inputs, **parameters):
        return function(subscripts, *inputs, **parameters)

    def theirs(torch, *inputs, optimize=False):
        return torch.einsum(subscripts, *inputs)

    return with_numbers(call, shapes, torch=theirs if torch else None, **options)


def with_numbers(call, shapes, **options):
    options = {"complex": True, "drawn": None, "order": 3, **options}
    return Described("einsum", (shapes,), call=call, **options)


DESCRIBED = (
    *(einsum(subscripts, shapes) for subscripts, *shapes in SUBSCRIPTS),
    *(
        einsum(subscripts, shapes, parameters=[{"optimize": True}, {"optimize": "optimal"}])
        for subscripts, *shapes in SUBSCRIPTS
        if len(shapes) > 2
    ),
    # torch does not broadcast an axis that has a letter.
    einsum("i,i->i", ((1,), (3,)), torch=False),
    with_numbers(lambda f, x, y: f(x, [0, 30], y, [30, 1], [1, 0]), ((2, 3), (3, 4))),
    with_numbers(lambda f, x, y: f(x, [..., 2, 1], y, [..., 1, 0]), ((2, 2, 3), (2, 3, 2))),
)
