"""Datasets and data loaders."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from tinytorch_core import Tensor

from tinytorch_training import DataLoader, Dataset, TensorDataset


def batches(loader) -> list[list[float]]:
    return [x.tolist() for (x,) in loader]


def examples(loader) -> list[float]:
    return [number for batch in batches(loader) for number in batch]


def numbers(size=10) -> TensorDataset:
    return TensorDataset(np.arange(size))


@pytest.mark.parametrize(
    ("size", "drop_last", "lengths"),
    [(10, False, [4, 4, 2]), (10, True, [4, 4]), (8, False, [4, 4]), (3, True, []), (0, False, [])],
)
def test_each_example_occurs_once_and_in_order(size, drop_last, lengths) -> None:
    loader = DataLoader(numbers(size), batch_size=4, drop_last=drop_last)
    found = batches(loader)
    assert [len(b) for b in found] == lengths
    assert len(loader) == len(lengths)
    assert [x for b in found for x in b] == list(range(sum(lengths)))


def test_shuffling_draws_a_new_order_of_all_examples_per_epoch() -> None:
    loader = DataLoader(numbers(), 4, shuffle=True, generator=0)
    first, second = examples(loader), examples(loader)
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert examples(DataLoader(numbers(), 4, shuffle=True, generator=0)) == first
    assert examples(DataLoader(numbers(), 4, shuffle=True, generator=1)) != first


def test_two_simultaneous_loops_are_independent() -> None:
    loader = DataLoader(numbers(4), 2)
    assert [(a.tolist(), b.tolist()) for (a,), (b,) in zip(loader, loader, strict=True)] == [
        ([0, 1], [0, 1]),
        ([2, 3], [2, 3]),
    ]


def test_batches_are_untracked_copies_that_keep_the_dtype() -> None:
    x = Tensor(np.ones((4, 2), np.float32), requires_grad=True)
    data = TensorDataset(x, np.arange(4), [0.5, 1.5, 2.5, 3.5])
    (a, b, c), *_ = DataLoader(data, 3)
    assert (a.shape, a.dtype, a.requires_grad) == ((3, 2), np.float32, False)
    assert (b.tolist(), b.dtype) == ([0, 1, 2], np.int64)
    assert c.tolist() == [0.5, 1.5, 2.5]
    a.data[:] = 7  # a batch is a copy
    assert x.data.max() == 1


@pytest.mark.parametrize("kind", [np.asarray, Tensor], ids=["array", "Tensor"])
def test_float64_becomes_float32_with_a_warning_at_the_line_of_the_user(kind) -> None:
    x = np.linspace(0, 1, 12).reshape(4, 3)
    with pytest.warns(UserWarning, match="1 of its arrays from float64 to float32.*Pass") as warned:
        data = TensorDataset(kind(x), np.arange(4), np.ones(4, np.float16))
    assert [w.filename for w in warned] == [__file__]
    for examples in (data[2], data.batch([2, 3]), *DataLoader(data, 4)):
        assert [e.dtype for e in examples] == [np.float32, np.int64, np.float16]
    np.testing.assert_array_equal(data.batch([0, 1])[0].data, x[:2].astype(np.float32))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_of_a_dataset_applies_to_floating_arrays_without_a_warning(dtype) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = TensorDataset(np.ones(3), np.ones(3, np.float32), [1, 2, 3], dtype=dtype)
        assert TensorDataset([0.5, 1.5])[0][0].dtype == np.float32  # lists do not cause a warning
    assert [e.dtype for e in data[0]] == [e.dtype for e in data.batch([0])] == [dtype, dtype, int]


class Pairs(Dataset):
    def __len__(self) -> int:
        return 5

    def __getitem__(self, index: int):
        return {"x": np.full(2, index, np.float32), "y": (index, index * 0.5)}


@pytest.mark.parametrize("data", [Pairs(), [Pairs()[i] for i in range(5)]], ids=["own", "list"])
def test_batches_have_the_structure_of_an_example(data) -> None:
    first, *_ = DataLoader(data, 2)
    assert first["x"].tolist() == [[0, 0], [1, 1]]
    assert (first["x"].dtype, first["y"][0].dtype) == (np.float32, np.int64)
    assert first["y"][1].tolist() == [0.0, 0.5]


def test_tuple_of_examples_is_a_dataset() -> None:
    pairs = ((np.ones(2, np.float32), 0), (np.zeros(2, np.float32), 1))
    (x, y), *_ = DataLoader(pairs, 2)
    assert (x.tolist(), y.tolist()) == ([[1, 1], [0, 0]], [0, 1])


@pytest.mark.parametrize("bits", [np.random.PCG64, np.random.MT19937, np.random.Philox])
@pytest.mark.parametrize("drawn", [0, 1, 3, 4])
def test_state_dict_resumes_within_an_epoch(drawn: int, bits) -> None:
    def loader(seed):
        return DataLoader(numbers(), 3, shuffle=True, generator=np.random.Generator(bits(seed)))

    first = loader(0)
    batches(first)
    running = iter(first)
    for _ in range(drawn):
        next(running)
    # Other draws from the same generator must not affect the order of the running epoch.
    first.generator.random(5)
    state = first.state_dict()
    expected = [x.tolist() for (x,) in running]

    second = loader(1)
    second.load_state_dict(state)
    assert batches(second) == expected
    assert batches(second) == batches(first)


RNG = np.random.default_rng(0)
EXAMPLES = {
    "vectors": [RNG.normal(size=3).astype(np.float32) for _ in range(4)],
    "images": [RNG.normal(size=(2, 3, 3)) for _ in range(4)],
    "arrays in Fortran order": [np.asfortranarray(RNG.normal(size=(2, 3))) for _ in range(4)],
    "several dtypes": [np.ones(2, np.float32), np.arange(2), np.ones(2, np.float16)],
    "empty arrays": [np.ones((0, 3))] * 2,
    "arrays without axes": [np.array(0.5), np.array(1.5)],
    "one array": [np.arange(3)],
    "integers": [3, 1, 2],
    "bools": [True, False],
    "integers and bools": [True, 3],
    "NumPy integers": [np.int32(3), np.int32(1)],
    "NumPy floats": [np.float16(0.5), np.float16(1.5)],
    "numbers of several dtypes": [np.float32(0.5), np.int8(1)],
    "numbers and arrays": [np.float32(0.5), np.array(1.5)],
}


@pytest.mark.parametrize("case", EXAMPLES)
@pytest.mark.parametrize("kind", [lambda e: e, Tensor], ids=["values", "Tensors"])
def test_batches_equal_stacked_examples(case: str, kind) -> None:
    examples = EXAMPLES[case]
    if kind is Tensor:
        examples = [Tensor(np.asarray(e)) for e in examples]
    (batch,) = DataLoader([(e,) for e in examples], len(examples))
    expected = np.stack([np.asarray(e) for e in EXAMPLES[case]])
    np.testing.assert_array_equal(batch[0].data, expected, strict=True)
    for e in examples:
        assert not np.shares_memory(batch[0].data, getattr(e, "data", e))


class Words(Dataset):
    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: int) -> str:
        return "word"


@pytest.mark.parametrize("examples", [[1, 0.5], [0.5, 1]])
def test_the_dtype_of_numbers_does_not_depend_on_their_order(examples: list) -> None:
    (batch,) = DataLoader(examples, 2)
    assert (batch.dtype, batch.tolist()) == (np.float32, examples)


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([(1, 2), (1,)], r"different lengths to a batch: \[1, 2\]"),
        ([{"x": 1, "y": 2}, {"x": 1}], r"different keys to a batch: .*'x', 'y'"),
        ([np.ones(2), np.ones(3)], r"different shapes to a batch: \[\(2,\), \(3,\)\]"),
    ],
)
def test_different_examples_are_not_stacked(examples: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next(iter(DataLoader(examples, 2)))


def test_keys_of_examples_may_have_any_order() -> None:
    (batch,) = DataLoader([{"x": 1, "y": 2}, {"y": 3, "x": 4}], 2)
    assert {name: column.tolist() for name, column in batch.items()} == {"x": [1, 4], "y": [2, 3]}


WRONG = {
    "no length": (
        lambda: DataLoader(iter([])),
        TypeError,
        "__len__ and __getitem__, not list_iter",
    ),
    "a tuple of arrays": (
        lambda: DataLoader((np.ones((8, 2)), Tensor([1.0] * 8)), 4),
        TypeError,
        r"tuple of 2 arrays of shapes \(8, 2\), \(8,\).*pass TensorDataset",
    ),
    "batch size of True": (lambda: DataLoader(numbers(), True), TypeError, "an integer, not True"),
    "dtype": (
        lambda: TensorDataset(np.ones(3), dtype=int),
        TypeError,
        "dtype of TensorDataset must be a floating dtype, not <class 'int'>",
    ),
    "batch size": (lambda: DataLoader(numbers(), 0), ValueError, "batch_size of DataLoader.*1 or"),
    "shuffle": (lambda: DataLoader(numbers(), shuffle="no"), TypeError, "shuffle of DataLoader"),
    "lengths": (
        lambda: TensorDataset(np.ones((3, 2)), np.ones(4)),
        ValueError,
        r"same length, got shapes \(3, 2\), \(4,\)",
    ),
    "nothing": (lambda: TensorDataset(), ValueError, "one or more arrays"),
    "a number": (lambda: TensorDataset(1.0), ValueError, r"with at least one axis, got \(\)"),
    "words": (lambda: next(iter(DataLoader(Words(), 2))), TypeError, "holds numbers, not <U4"),
    "shapes": (
        lambda: next(iter(DataLoader([np.ones(2), np.ones(3)], 2))),
        ValueError,
        r"different shapes to a batch: \[\(2,\), \(3,\)\]",
    ),
    "shapes that could be joined": (
        lambda: next(iter(DataLoader([np.ones((2, 3)), np.ones((4, 3))], 2))),
        ValueError,
        r"different shapes to a batch: \[\(2, 3\), \(4, 3\)\]",
    ),
    "shapes that could be broadcast": (
        lambda: next(iter(DataLoader([Tensor([1.0]), Tensor([1.0, 2.0])], 2))),
        ValueError,
        r"different shapes to a batch: \[\(1,\), \(2,\)\]",
    ),
    "a number and an array": (
        lambda: next(iter(DataLoader([1, np.ones(2)], 2))),
        ValueError,
        r"different shapes to a batch: \[\(\), \(2,\)\]",
    ),
    "text": (
        lambda: next(iter(DataLoader([np.array(["a"]), np.array(["b"])], 2))),
        TypeError,
        "holds numbers, not <U1",
    ),
    "another batch size": (
        lambda: DataLoader(numbers(), 2).load_state_dict(DataLoader(numbers(), 3).state_dict()),
        ValueError,
        "with batch_size=3, but this one has batch_size=2",
    ),
    "another dataset": (
        lambda: DataLoader(numbers(9)).load_state_dict(DataLoader(numbers()).state_dict()),
        ValueError,
        "with examples=10, but this one has examples=9",
    ),
    "another generator": (
        lambda: DataLoader(numbers()).load_state_dict(
            DataLoader(numbers(), generator=np.random.Generator(np.random.MT19937(0))).state_dict()
        ),
        ValueError,
        "belongs to a MT19937 generator, but the generator is a PCG64",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_raises(case: str) -> None:
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        make()
