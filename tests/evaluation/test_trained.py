"""vae_cli.load: a run folder as a model in Python."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from conftest import SUBSET
from torch import Tensor

import vae_cli


def stored_digits(n: int = 5) -> Tensor:
    """Test images as they are stored, uint8 [n, 28, 28]."""
    raw = (SUBSET / "MNIST/raw/t10k-images-idx3-ubyte").read_bytes()
    return torch.frombuffer(bytearray(raw[16 : 16 + n * 784]), dtype=torch.uint8).view(n, 28, 28)


@pytest.fixture(scope="module")
def digits(original_gaussian):
    return vae_cli.load(original_gaussian, device="cpu")


@pytest.fixture(scope="module")
def boxes(original_bernoulli):
    return vae_cli.load(str(original_bernoulli), "last", "cpu")


@pytest.fixture(scope="module")
def plain(original_deterministic):
    return vae_cli.load(original_deterministic, device="cpu")


def binary_images(n: int = 4) -> Tensor:
    return torch.rand(n, 1, 24, 24, generator=torch.Generator().manual_seed(0)).round()


def test_importing_the_package_does_not_import_torch():
    code = "import sys, vae_cli; print(vae_cli.__version__, 'torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [vae_cli.__version__, "False"]


def test_a_loaded_model_has_its_shape_scale_step_and_configuration(digits, boxes, original_gaussian):
    assert digits.shape == (1, 28, 28) and boxes.shape == (1, 24, 24)
    assert digits.scale == pytest.approx(1 / 255) and boxes.scale == 1
    saved = yaml.safe_load((original_gaussian / ".hydra/config.yaml").read_text())
    assert digits.config.latent.code_size == saved["latent"]["code_size"] == 2
    assert 0 < digits.step <= json.loads((original_gaussian / "summary.json").read_text())["steps"]
    assert not digits.vae.training and not any(p.requires_grad for p in digits.vae.parameters())


@pytest.mark.parametrize("shape", [(5, 1, 28, 28), (5, 28, 28), (5, 784)], ids=str)
@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor], ids=["numpy", "torch"])
def test_images_come_in_three_forms_and_grey_levels_or_floats(digits, shape, kind):
    grey = stored_digits().reshape(shape)
    expected = digits.encode(stored_digits()).mean
    assert expected.shape == (5, 2)
    for images in (kind(grey), kind(grey / 255), kind(grey.double() / 255)):
        assert torch.allclose(digits.encode(images).mean, expected, atol=1e-6)
        assert digits.reconstruct(images).shape == (5, 1, 28, 28)
        assert digits.log_likelihood(images, samples=3).shape == (5,)


def test_black_and_white_images_may_be_bits_booleans_or_floats(boxes):
    images = binary_images()
    expected = boxes.encode(images).logits
    assert expected.shape == (4, 6)
    for same in (images.bool(), images.to(torch.uint8), images.numpy().astype(bool), images.double()):
        assert torch.equal(boxes.encode(same).logits, expected)


def test_images_that_numpy_may_not_write_to_are_no_warning(digits):
    """Arrays as PIL and mmap give them: torch warns of those that it may not write."""
    images = stored_digits().numpy().copy()
    images.setflags(write=False)
    assert torch.equal(digits.encode(images).mean, digits.encode(stored_digits()).mean)


@pytest.mark.parametrize("model", ["digits", "boxes", "plain"])
def test_a_reconstruction_decodes_the_most_probable_code(request, model):
    trained = request.getfixturevalue(model)
    images = binary_images() if model == "boxes" else stored_digits()
    q = trained.encode(images)
    out = trained.reconstruct(images)
    assert torch.equal(out, trained.decode(q.mode)) and out.shape == (len(images), *trained.shape)
    assert out.min() >= 0 and out.max() <= 1 and not out.requires_grad
    if model == "boxes":
        assert set(q.mode.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(trained.decode(q.mode.numpy()), out)
    assert torch.equal(trained.decode(q.mode.double()), out)


@pytest.mark.parametrize("model", ["digits", "boxes"])
def test_samples_are_decoded_codes_of_the_prior(request, model):
    trained = request.getfixturevalue(model)
    codes = trained.prior_codes(9, 4)
    assert codes.shape == (9, trained.vae.latent.code_size)
    assert torch.equal(trained.sample(9, 4), trained.decode(codes))
    assert torch.equal(trained.prior_codes(9, 4), codes)
    assert not torch.equal(trained.prior_codes(9, 5), codes)
    many = trained.prior_codes(4000)
    mean, variance = (0.5, 0.25) if model == "boxes" else (0.0, 1.0)
    assert torch.allclose(many.mean(0), torch.tensor(mean), atol=0.08)
    assert torch.allclose(many.var(0), torch.tensor(variance), atol=0.12)


def test_log_likelihood_is_one_number_an_image_and_fixed_by_its_seed(boxes):
    """More images than one batch; near the exact sum over all 64 codes."""
    images = binary_images(130)
    before = torch.get_rng_state()
    first = boxes.log_likelihood(images, samples=20)
    assert first.shape == (130,) and (first < 0).all()
    assert torch.equal(boxes.log_likelihood(images, samples=20), first)
    assert not torch.equal(boxes.log_likelihood(images, samples=20, seed=1), first)
    assert torch.equal(torch.get_rng_state(), before)
    codes = torch.tensor([[i >> k & 1 for k in range(6)] for i in range(64)], dtype=torch.float32)
    pixels = torch.distributions.Bernoulli(boxes.decode(codes).flatten(1))
    joint = pixels.log_prob(images[:4].flatten(1)[:, None]).sum(-1) - np.log(64)
    assert torch.allclose(boxes.log_likelihood(images[:4], 5000), joint.logsumexp(1), rtol=0.02)


@pytest.mark.parametrize("shape", [(5, 28, 27), (5, 783), (5, 3, 28, 28), (28, 28), (784,), ()], ids=str)
def test_images_of_another_size_are_refused(digits, shape):
    for method in (digits.encode, digits.reconstruct, digits.log_likelihood):
        with pytest.raises(ValueError, match=r"needed is \[N, 1, 28, 28\] or \[N, 784\] or \[N, 28, 28\]"):
            method(torch.zeros(shape))


def test_codes_of_another_size_are_refused(digits):
    with pytest.raises(ValueError, match="codes have 3 numbers, the model takes 2"):
        digits.decode(torch.zeros(4, 3))


def test_a_plain_auto_encoder_has_neither_prior_nor_likelihood(plain):
    for call in (lambda: plain.sample(3), lambda: plain.prior_codes(3)):
        with pytest.raises(ValueError, match="latent=deterministic has no prior"):
            call()
    with pytest.raises(ValueError, match="latent=deterministic has no prior, hence no likelihood"):
        plain.log_likelihood(stored_digits())


def test_a_run_in_float64_stays_in_float64(trained):
    folder = trained("double", "precision=float64", "data.train_size=40", "data.validation_size=20",
                     "data.test_size=20")  # fmt: skip
    model = vae_cli.load(folder, device="cpu")
    assert {p.dtype for p in model.vae.parameters()} == {torch.float64}
    assert model.reconstruct(binary_images()).dtype == model.sample(2).dtype == torch.float64
    assert model.log_likelihood(binary_images(), 3).dtype == torch.float64
