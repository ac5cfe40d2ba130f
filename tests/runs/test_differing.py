"""The keys in which runs differ."""

from runs.synthetic import read_all, write_run

from vae_cli.runs.differing import differing, distinct, setting_text


def test_a_key_that_only_one_of_two_options_has_is_no_difference(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", latent__name="gaussian", latent__temperature=None, estimator__name="pathwise",
              estimator__temperature=None)  # fmt: skip
    assert differing(read_all(tmp_path)) == ["latent", "estimator"]


def test_a_key_that_refers_to_another_key_is_no_difference(tmp_path):
    write_run(tmp_path / "a", latent__temperature=0.5), write_run(tmp_path / "b")
    assert differing(read_all(tmp_path)) == ["latent.temperature"]


def test_a_key_that_an_earlier_version_lacked_is_a_difference(tmp_path):
    write_run(tmp_path / "a")
    write_run(tmp_path / "b", data__exclude_classes=[4])
    assert differing(read_all(tmp_path)) == ["data.exclude_classes"]


def test_the_seed_and_technical_keys_are_no_difference(tmp_path):
    write_run(tmp_path / "a", data__root="/here"), write_run(tmp_path / "b", data__root="/there", seed=1)
    assert differing(read_all(tmp_path)) == []


def test_values_are_sorted_numbers_before_texts_before_none(tmp_path):
    for name, fused in (("a", 10), ("b", "auto"), ("c", 2.5), ("d", None), ("e", True)):
        write_run(tmp_path / name, optimizer__fused=fused)
    values = distinct(read_all(tmp_path), "optimizer.fused")
    assert values == [2.5, 10, "auto", "true", None]
    assert [setting_text(value) for value in values] == ["2.5", "10", "auto", "true", "–"]
