"""Every option, every allowed pair of options and every preset can be built and takes a training step."""

import functools
import re
import shutil
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from config.composed import CONFIGS, NAMES, OPTIONS, composed, option, put, small, steps
from data.omniglot_file import write_chardata
from models.tables import ROWS, SERVED_BY

from vae_cli.build import build
from vae_cli.config.compose import run_config
from vae_cli.config.schema.estimators import EstimatorConfig
from vae_cli.data.binarization import FIXED
from vae_cli.engine.experiment import Experiment
from vae_cli.errors import UserError
from vae_cli.models.networks import ACTIVATIONS, INITIALIZATIONS

pytestmark = pytest.mark.usefixtures("composed_by_hydra")

SUBSET = Path(__file__).parent / "data"
ESTIMATORS = {
    name: EstimatorConfig.options()[
        yaml.safe_load((CONFIGS / f"estimator/{name}.yaml").read_text())["_target_"]
    ]
    for name in NAMES["estimator"]
}
EXPERIMENTS = sorted(path.stem for path in CONFIGS.glob("experiment/*.yaml"))
SEARCHES = [name for name in EXPERIMENTS if name.startswith("search_")]
INSTALLED = {distribution.name for distribution in distributions()}


@pytest.mark.parametrize("part", [f"{group}={name}" for group, name in OPTIONS if group != "data"])
def test_every_part_takes_a_step(part):
    steps(small(option(part)), n=2)


@pytest.mark.parametrize("estimator", NAMES["estimator"])
@pytest.mark.parametrize("latent", NAMES["latent"])
def test_every_pair_of_latent_and_estimator_takes_a_step_or_is_refused(latent, estimator):
    pair, row = (f"latent={latent}", f"estimator={estimator}"), ROWS[estimator]
    if estimator in SERVED_BY[latent]:
        steps(small(composed(*pair, "latent.code_size=3", *row.overrides(units=3))))
        return
    with pytest.raises(UserError) as error:
        composed(*pair, f"objective={row.objective}")
    allowed = [name for name in SERVED_BY[latent] if row.objective in ESTIMATORS[name].objectives]
    for word in (*pair, *allowed):
        assert word in str(error.value)


@pytest.mark.parametrize("estimator", NAMES["estimator"])
@pytest.mark.parametrize("objective", NAMES["objective"])
def test_every_pair_of_objective_and_estimator_takes_a_step_or_is_refused(objective, estimator):
    row = ROWS[estimator]
    words = [
        f"latent={row.latents[0]}",
        f"estimator={estimator}",
        "latent.code_size=3",
        *row.overrides(units=3),
    ]
    words = [
        *(word for word in words if "objective=" not in word and ".kl=" not in word),
        f"objective={objective}",
    ]
    kl = [f"objective.kl={row.kl}"] if objective == "elbo" else []
    if objective in ESTIMATORS[estimator].objectives:
        steps(small(composed(*words, *kl)))
        return
    with pytest.raises(UserError) as error:
        composed(*words, *kl)
    assert f"estimator={estimator}" in str(error.value) and f"objective={objective}" in str(error.value)


@pytest.mark.parametrize(
    ("part", "values"),
    [
        ("estimator=reinforce", {"estimator.baseline": "leave_one_out", "objective.samples": 3}),
        ("latent=bernoulli", {"estimator.anneal_rate": 0.1}),
        (
            "objective=elbo",
            {"objective.beta": 4.0, "objective.warmup_steps": 10, "objective.cycle_steps": 20},
        ),
        ("objective=elbo", {"objective.free_bits": 0.1, "gradient_clip_norm": 1.0}),
        ("network=mlp", {"network.hidden": [], "network.mean_bias": False}),
        ("network=mlp", {"network.hidden": [8, 6], "schedule.warmup_steps": 3}),
        *(("network=mlp", {"network.activation": name}) for name in ACTIVATIONS),
        *(("network=mlp", {"network.initialization": name}) for name in INITIALIZATIONS),
        *(("network=conv", {"network.initialization": name}) for name in INITIALIZATIONS),
        ("optimizer=sgd", {"optimizer.momentum": 0.9, "optimizer.nesterov": True}),
        ("optimizer=adam", {"optimizer.fused": False, "data.placement": "host", "data.limit": 7}),
        ("likelihood=gaussian", {"likelihood.min_log_std": None}),
    ],
    ids=str,
)
def test_the_keys_of_parts_take_a_step(part, values):
    config = put(small(option(part)), values)
    run_config(config)
    steps(config, n=2)


def test_precision_float64_reaches_the_parameters(float64):
    """Its fixture puts torch's default back, which `build` sets."""
    state = steps(put(small(option("latent=gaussian")), {"precision": "float64"}))
    assert {p.dtype for p in state.experiment.model.parameters()} == {torch.float64}


# --- presets ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A data.root with all that presets may ask for: real MNIST, and stand-ins in the formats of the others."""
    root = tmp_path_factory.mktemp("data")
    shutil.copytree(SUBSET / "MNIST", root / "MNIST")
    shutil.copytree(SUBSET / "MNIST/raw", root / "FashionMNIST/raw")
    (root / "binarized_mnist").mkdir()
    for name in FIXED.checksums:
        rows = np.random.default_rng(0).integers(0, 2, (20, 784))
        (root / "binarized_mnist" / name).write_text("".join(" ".join(map(str, r)) + "\n" for r in rows))
    return root


def small_data(config: dict, root: Path) -> dict:
    data = config["data"] | {"root": str(root)}
    limits = {"train_size": 64, "validation_size": 32, "test_size": 32}
    data |= {key: min(data[key], most) for key, most in limits.items() if key in data}
    return config | {"data": data}


def comments(name: str) -> list[str]:
    """The comment lines at the head of a preset, without Hydra's own."""
    lines = (CONFIGS / f"experiment/{name}.yaml").read_text().splitlines()
    head = lines[: next(i for i, line in enumerate(lines) if not line.startswith("#"))]
    return [line.removeprefix("#").strip() for line in head if "@package" not in line]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_preset_begins_with_its_command_the_figure_expected_and_the_source(name):
    command, *rest = comments(name)
    assert re.fullmatch(rf"vae-train (-m )?experiment={name}( .*)?", command)
    assert any(line.startswith("Expected") for line in rest)
    assert any(line.startswith("Source") for line in rest)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_preset_composes_and_takes_a_step(name, root):
    if name in SEARCHES and "hydra-optuna-sweeper" not in INSTALLED:
        pytest.skip("needs hydra-optuna-sweeper: pip install 'vae-cli[optuna]'")
    config = composed(f"experiment={name}")
    assert config["name"] == name
    assert config["device"] in ("auto", "cuda")  # cuda: only a GPU is fast enough for it
    steps(small_data(config, root) | {"device": "cpu"})


@pytest.mark.parametrize("binarization", ["none", "threshold", "dynamic", "fixed"])
@pytest.mark.parametrize("data", ["mnist", "binarized_mnist", "fashion_mnist"])
def test_every_binarization_takes_a_step(data, binarization, root):
    config = small_data(put(small(option(f"data={data}")), {"data.binarization": binarization}), root)
    if (data, binarization) == ("fashion_mnist", "fixed"):
        with pytest.raises(UserError, match=r"data\.binarization=fixed exists for MNIST alone"):
            run_config(config)
        return
    run_config(config)
    steps(config)


@pytest.mark.parametrize("binarization", ["none", "threshold", "dynamic"])
def test_omniglot_takes_a_step(binarization, tmp_path):
    write_chardata(tmp_path)
    config = put(small(option("data=omniglot")), {"data.binarization": binarization})
    steps(put(config, {"data.root": str(tmp_path), "data.validation_size": 10}))


@pytest.mark.parametrize("network", ["mlp", "conv"])
def test_the_encoder_sees_centered_or_signed_pixels_and_the_decoder_signed_codes(network, float64):
    """The layers in front change nothing else: the same weights, the same output bias."""

    def built(*overrides: str) -> Experiment:
        config = small(composed("latent=bernoulli", f"network={network}", *overrides))
        return build(run_config(put(config, {"precision": "float64"})))

    plain = built()
    model, x = plain.model, plain.data.pixels(plain.data.test.images, torch.float64)
    mean = plain.data.pixels(plain.data.train.images, torch.float64).mean(0)
    z = model.encode(x).mode
    for inputs, seen in (("centered", x - mean), ("signed", 2 * x - 1)):
        other = built(f"network.inputs={inputs}", "latent.signed=true").model
        close = functools.partial(torch.testing.assert_close, rtol=1e-6, atol=1e-6)  # the mean is in float32
        close(other.encode(x).logits, model.encode(seen).logits)
        close(other.decode(z).mean, model.decode(2 * z - 1).mean)


def test_arrays_take_a_step(tmp_path):
    np.savez(tmp_path / "a.npz", images=np.random.default_rng(0).integers(0, 2, (40, 6, 5), dtype=np.uint8))
    steps(put(small(option("data=arrays")), {"data.path": str(tmp_path / "a.npz")}))


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("part", "values", "words"),
    [
        (
            "latent=gaussian",
            {"latent.code_sise": 3},
            ["'latent.code_sise'", "did you mean 'latent.code_size'?"],
        ),
        ("data=mnist", {"data.validation_size": 400}, ["data.validation_size=400", "allowed are 0 to 399"]),
    ],
    ids=str,
)
def test_what_only_building_can_show_is_refused_in_words(part, values, words):
    with pytest.raises(UserError) as error:
        build(run_config(put(small(option(part)), {"data.root": str(SUBSET)} | values)))
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("likelihood", NAMES["likelihood"])
@pytest.mark.parametrize(("low", "high"), [(0.0, 1.5), (-0.5, 1.0)])
def test_only_likelihoods_on_the_whole_line_take_pixels_outside_0_1(likelihood, low, high, tmp_path):
    np.savez(tmp_path / "a.npz", images=np.linspace(low, high, 160).reshape(20, 2, 4))
    data = put(option("data=arrays"), {"data.path": str(tmp_path / "a.npz")})["data"]
    config = small(option(f"likelihood={likelihood}")) | {"data": data}
    if "gaussian" in likelihood:
        steps(config)
        return
    with pytest.raises(UserError) as error:
        build(run_config(config))
    for word in (f"likelihood={likelihood}", "[0, 1]", f"[{low:g}, {high:g}]", "likelihood=gaussian"):
        assert word in str(error.value)


@pytest.mark.parametrize("device", ["cuda", "cuda:0"])
def test_cuda_without_cuda_is_refused(device, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=rf"device={device}.*no CUDA; allowed here are auto, cpu"):
        build(run_config(put(small(option("latent=gaussian")), {"device": device})))
