"""Networks: shapes at any leading axes and image size, mirrored widths, initializations and the output's bias."""

import math

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from vae_cli.models.networks import ACTIVATIONS, INITIALIZATIONS, MLP, Conv, Network, set_output_bias

pytestmark = pytest.mark.usefixtures("float64")

CODE_SIZE = 5
SHAPES = [(1, 28, 28), (1, 24, 24), (1, 25, 31), (3, 25, 31), (2, 8, 13)]
NETWORKS = [MLP([9, 6], "relu", "default"), MLP([], "tanh", "default"), Conv([4, 6, 3], 7, "silu", "default")]
FUNCTIONS = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "tanh": torch.tanh,
}
every_network = pytest.mark.parametrize("network", NETWORKS, ids=["mlp", "linear", "conv"])


def vectors(*shape: int) -> Tensor:
    return torch.randn(shape, generator=Generator().manual_seed(0))


def weighted(network: nn.Sequential) -> list[nn.Module]:
    return [m for m in network if isinstance(m, nn.Linear | nn.Conv2d | nn.ConvTranspose2d)]


@every_network
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("outputs_per_pixel", [1, 2])
def test_vectors_in_vectors_out(network: Network, shape, outputs_per_pixel):
    """[..., D] → [..., P] and [..., K] → [..., D × outputs]; each row independently, for any leading axes."""
    torch.manual_seed(0)
    pixels = math.prod(shape)
    encoder, decoder = network.encoder(shape, 11), network.decoder(CODE_SIZE, shape, outputs_per_pixel)
    for net, inputs, outputs in ((encoder, pixels, 11), (decoder, CODE_SIZE, pixels * outputs_per_pixel)):
        rows = vectors(2, 3, inputs)
        found = net(rows)
        assert found.shape == (2, 3, outputs)
        torch.testing.assert_close(found[1], net(rows[1]))
        torch.testing.assert_close(found[1, 2], net(rows[1, 2:])[0])
        assert (found.std((0, 1)) > 0).all()  # every output depends on its input


def test_hidden_widths_are_mirrored():
    shape = (3, 24, 20)
    mlp, conv = MLP([9, 6], "relu", "default"), Conv([4, 6], 7, "relu", "default")
    encoder, decoder = mlp.encoder(shape, 11), mlp.decoder(CODE_SIZE, shape, 2)
    assert [m.weight.shape[::-1] for m in weighted(encoder)] == [(1440, 9), (9, 6), (6, 11)]
    assert [m.weight.shape[::-1] for m in weighted(decoder)] == [(CODE_SIZE, 6), (6, 9), (9, 2880)]
    encoder, decoder = conv.encoder(shape, 11), conv.decoder(CODE_SIZE, shape, 2)
    inner = 6 * 6 * 5
    assert [m.weight.shape for m in weighted(encoder)] == [(4, 3, 4, 4), (6, 4, 4, 4), (7, inner), (11, 7)]
    assert [m.weight.shape for m in weighted(decoder)] == [
        (7, CODE_SIZE),
        (inner, 7),
        (6, 4, 4, 4),
        (4, 6, 4, 4),
    ]


def test_without_hidden_layers_the_mlp_is_linear():
    network = MLP([], "tanh", "default")
    for net, inputs in ((network.encoder((1, 2, 3), 4), 6), (network.decoder(4, (1, 2, 3), 2), 4)):
        (linear,) = net
        rows = vectors(3, inputs)
        torch.testing.assert_close(net(rows), rows @ linear.weight.T + linear.bias)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_the_named_activation_stands_between_layers_and_not_after_the_last(name):
    network = MLP([9, 6], name, "default")
    for net, inputs in ((network.encoder((1, 2, 3), 4), 6), (network.decoder(4, (1, 2, 3), 2), 4)):
        rows = vectors(3, inputs)
        first, second, last = weighted(net)
        hidden = FUNCTIONS[name](second(FUNCTIONS[name](first(rows))))
        torch.testing.assert_close(net(rows), last(hidden))
    conv = Conv([4, 6], 7, name, "default")
    for net in (conv.encoder((1, 8, 8), 4), conv.decoder(4, (1, 8, 8), 1)):
        found = [type(m) for m in net if not isinstance(m, nn.Flatten | nn.Unflatten)]
        assert found[1::2] == [type(ACTIVATIONS[name](0.01))] * 3
        assert len(found) == 7


@pytest.mark.parametrize(
    "network",
    [MLP([9, 6], "leaky_relu", "default", 0.3), Conv([4, 6], 7, "leaky_relu", "default", 0.3)],
    ids=["mlp", "conv"],
)
def test_every_leaky_relu_has_the_slope(network: Network):
    for net in (network.encoder((1, 8, 8), 4), network.decoder(4, (1, 8, 8), 1)):
        slopes = [m.negative_slope for m in net if isinstance(m, nn.LeakyReLU)]
        assert slopes and set(slopes) == {0.3}


@pytest.mark.parametrize("network", NETWORKS[::2], ids=["mlp", "conv"])
def test_default_initialization_is_torchs_own(network: Network):
    """The same draws in the same order as of plain layers."""
    torch.manual_seed(0)
    ours = weighted(network.encoder((1, 8, 8), 4))
    torch.manual_seed(0)
    for layer in ours:
        keys = (
            ("in_features", "out_features")
            if isinstance(layer, nn.Linear)
            else ("in_channels", "out_channels")
        )
        sizes = [getattr(layer, key) for key in keys]
        same = nn.Linear(*sizes) if isinstance(layer, nn.Linear) else nn.Conv2d(*sizes, 4)
        assert torch.equal(layer.weight, same.weight) and torch.equal(layer.bias, same.bias)


@pytest.mark.parametrize("name", [name for name in INITIALIZATIONS if name != "default"])
@pytest.mark.parametrize(
    "network", [MLP([60, 40], "relu", ""), Conv([12, 16], 30, "relu", "")], ids=["mlp", "conv"]
)
def test_initializations_have_their_scale_and_start_biases_at_zero(network: Network, name):
    """xavier: uniform of variance 2 / (fan in + fan out); kaiming: normal of variance 2 / fan in; z ≤ 4 on the mean
    square, from kurtosis 1.8 and 3. orthogonal: orthonormal rows or columns. Fans are as torch counts them."""
    torch.manual_seed(0)
    network = network._replace(initialization=name)
    for layer in [
        *weighted(network.encoder((1, 12, 12), 10)),
        *weighted(network.decoder(10, (1, 12, 12), 1)),
    ]:
        weight, n = layer.weight.detach(), layer.weight.numel()
        assert not layer.bias.any()
        receptive = weight[0, 0].numel()
        fan_in, fan_out = weight.shape[1] * receptive, weight.shape[0] * receptive
        square = weight.square().mean()
        if name == "orthogonal":
            flat = weight.flatten(1)
            gram = flat @ flat.T if len(flat) <= flat.shape[1] else flat.T @ flat
            torch.testing.assert_close(gram, torch.eye(len(gram)))
        elif name == "xavier":
            variance = 2 / (fan_in + fan_out)
            assert abs(square - variance) <= 4 * variance * math.sqrt(0.8 / n)
            assert weight.abs().max() <= math.sqrt(3 * variance)
        else:
            assert abs(square - 2 / fan_in) <= 4 * (2 / fan_in) * math.sqrt(2 / n)


@every_network
@pytest.mark.parametrize("outputs_per_pixel", [1, 2])
def test_set_output_bias_is_what_a_decoder_returns_with_zero_weights(network: Network, outputs_per_pixel):
    """Pixel by pixel for an MLP; a convolution has one bias for each channel, the mean over its pixels."""
    shape = (3, 9, 8)
    decoder = network.decoder(CODE_SIZE, shape, outputs_per_pixel)
    bias = vectors(3 * 9 * 8 * outputs_per_pixel)
    set_output_bias(decoder, bias)
    last = weighted(decoder)[-1]
    assert last.bias.requires_grad
    nn.init.zeros_(last.weight)
    if isinstance(network, Conv):
        channels = bias.unflatten(0, (3 * outputs_per_pixel, 72))
        bias = channels.mean(-1, keepdim=True).expand_as(channels).flatten()
    torch.testing.assert_close(decoder(vectors(2, CODE_SIZE)).detach(), bias.expand(2, -1))


@pytest.mark.parametrize(
    ("shape", "most"), [((1, 28, 28), 4), ((1, 24, 40), 4), ((1, 9, 7), 2), ((1, 8, 8), 3)]
)
def test_too_many_halvings_are_refused_with_the_number_allowed(shape, most):
    def conv(depth: int) -> Conv:
        return Conv([2] * depth, 3, "relu", "default")

    decoder = conv(most).decoder(CODE_SIZE, shape, 1)
    assert decoder(conv(most).encoder(shape, CODE_SIZE)(vectors(2, math.prod(shape)))).shape == (
        2,
        math.prod(shape),
    )
    for build in (
        lambda: conv(most + 1).encoder(shape, 4),
        lambda: conv(most + 1).decoder(CODE_SIZE, shape, 1),
    ):
        with pytest.raises(
            ValueError,
            match=f"{most + 1} halvings are too many for images of {shape[1]}×{shape[2]}; .* {most} or fewer",
        ):
            build()
