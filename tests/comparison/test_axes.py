"""The keys that become axes."""

import pytest
from comparison.sweeps import tabulate
from runs.synthetic import write_run

from vae_cli.errors import UserError


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ("latent.code_size", "latent.temperature")),
        ({"x": "latent.temperature"}, ("latent.temperature", "latent.code_size")),
        ({"y": "latent.code_size"}, ("latent.temperature", "latent.code_size")),
        ({"y": None}, ("latent.code_size", None)),
    ],
)
def test_the_axes_are_the_keys_swept_together(sweep, settings, expected):
    table = tabulate(sweep, **settings)
    assert (table.x, table.y) == expected


def test_x_is_the_key_with_most_values(tmp_path):
    for i in range(3):
        write_run(tmp_path / f"{i}", batch_size=1 + i // 2, optimizer__lr=0.1 * (i + 1), name=f"name {i}")
    assert tabulate(tmp_path).x == "optimizer.lr"  # not the name, which has as many and explains nothing


def test_keys_that_vary_one_after_the_other_make_no_heat_map(tmp_path):
    for i in range(4):
        write_run(tmp_path / f"a{i}", batch_size=i + 1)
        write_run(tmp_path / f"b{i}", optimizer__lr=0.1 * (i + 1))
    table = tabulate(tmp_path)
    assert table.x and table.y is None


def test_one_run_has_no_axes(tmp_path):
    write_run(tmp_path / "run")
    table = tabulate(tmp_path)
    assert (table.x, table.y) == (None, None)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"x": "latent.code_siz"}, "did you mean 'latent.code_size'"),
        ({"y": "batch_size"}, "y=batch_size does not differ between the members, it is 128"),
        ({"y": "latent"}, "y=latent does not differ between the members, it is bernoulli"),
        ({"x": "seed"}, "members that differ only in their seed are one row"),
        ({"x": "latent.code_size", "y": "latent.code_size"}, "x and y are both latent.code_size"),
    ],
)
def test_a_key_that_cannot_be_an_axis_is_refused(sweep, settings, words):
    with pytest.raises(UserError, match=words) as error:
        tabulate(sweep, **settings)
    assert "what differs: latent.code_size, latent.temperature" in str(error.value)
