"""Members that train as one model are the runs that they are alone.

In float64 to 1e-9 relative to the largest number of a tensor. In float32 to 1e-3 and without Adam: it divides a
gradient by its own size, so a gradient that is rounding error moves its weight by the whole learning rate, in either
direction. Noise and data order are equal bit for bit.
"""

import pytest
from sweeps.packed.runs import (
    BERNOULLI,
    DIFFERENT,
    KINDS,
    MNIST,
    SMALL,
    assert_equal_runs,
    status,
    train_alone,
    train_packed,
)

THREE = [("seed=1",), ("seed=2", "optimizer.lr=0.0003"), ("seed=3", "objective.beta=0.5")]
TRACED = ("bernoulli", "convolutions")  # tests/engine/test_packed.py traces and captures every estimator


@pytest.mark.parametrize(
    ("kind", "runtime"), [*((kind, "eager") for kind in KINDS), *((kind, "graph") for kind in TRACED)]
)
def test_three_different_members_equal_their_single_runs(tmp_path, pack_sizes, kind, runtime):
    """In parameters, optimizers, generators, every logged metric and the summary."""
    different = DIFFERENT.get(kind, THREE)
    members = [(*KINDS[kind], f"runtime={runtime}", *overrides) for overrides in different]
    alone, packed = train_alone(tmp_path / "alone", members), train_packed(tmp_path / "packed", members)
    assert pack_sizes[0] == 3
    assert_equal_runs(alone, packed)


@pytest.mark.parametrize("kind", KINDS)
def test_three_members_in_single_precision_equal_their_single_runs(tmp_path, pack_sizes, kind):
    fixed = (*KINDS[kind], "precision=float32", "optimizer=sgd", "optimizer.lr=0.001")
    members = [(*fixed, *overrides) for overrides in THREE]
    alone, packed = train_alone(tmp_path / "alone", members), train_packed(tmp_path / "packed", members)
    assert pack_sizes[0] == 3
    assert_equal_runs(alone, packed, 1e-3)


def test_each_member_draws_its_own_binarization(tmp_path, pack_sizes):
    mnist = (
        "data=binarized_mnist",
        f"data.root={MNIST}",
        "data.validation_size=100",
        "data.limit=50",
        *BERNOULLI[7:],
    )
    members = [(*mnist, "seed=1"), (*mnist, "seed=2")]
    alone, packed = train_alone(tmp_path / "alone", members), train_packed(tmp_path / "packed", members)
    assert pack_sizes == [2]
    assert_equal_runs(alone, packed)


def test_a_member_that_diverges_does_not_change_the_others(tmp_path, pack_sizes):
    good = [(*BERNOULLI, "seed=1"), (*BERNOULLI, "seed=2")]
    bad = (*BERNOULLI, "seed=3", "optimizer=sgd", "optimizer.lr=1e30", "optimizer.weight_decay=1")
    alone = train_alone(tmp_path / "alone", good)
    first, diverged, second = train_packed(tmp_path / "packed", [good[0], bad, good[1]])
    assert status(diverged) == "diverged"
    assert pack_sizes == [3, 2]
    assert_equal_runs(alone, [first, second])


@pytest.mark.parametrize(
    ("kind", "runtime"),
    [
        *((kind, "eager") for kind in (*KINDS, "linear", "gaussian reinforce")),
        *((kind, "graph") for kind in TRACED),
    ],
)
def test_members_with_different_code_sizes_equal_their_single_runs(tmp_path, pack_sizes, kind, runtime):
    """They are padded with zeros to the largest, which comes neither first nor last. Weight decay acts on every weight,
    the padding included."""
    others = {
        "linear": (*SMALL, "network.hidden=[]"),
        "gaussian reinforce": (
            *SMALL,
            "estimator=reinforce",
            "objective.samples=3",
            "estimator.baseline=leave_one_out",
        ),
    }
    fixed = (*(KINDS | others)[kind], f"runtime={runtime}", "objective.free_bits=0", "optimizer=adamw",
             "optimizer.weight_decay=0.1")  # fmt: skip
    members = [
        (*fixed, f"latent.code_size={size}", f"seed={size}", f"objective.beta={beta}")
        for size, beta in ((2, 1), (5, 0.5), (3, 2), (5, 1))
    ]
    alone, packed = train_alone(tmp_path / "alone", members), train_packed(tmp_path / "packed", members)
    assert pack_sizes == [4]
    assert_equal_runs(alone, packed)
