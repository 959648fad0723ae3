"""Disturbed weights of a compiled network: grids and noise by hand."""

import numpy as np
import pytest

from csnn.event import disturbed
from csnn.event.network import IMAGE, LINEAR, READOUT, Connection, Convolution, Layer, Network, SparseMatrix
from csnn.rounding import rounded

WEIGHTS = np.random.default_rng(0).normal(size=(3, 3, 4, 8)).astype(np.float32)


@pytest.mark.parametrize("bits", [2, 4, 6, 8])
def test_weights_are_rounded_to_the_nearest_of_a_symmetric_grid(bits):
    made = rounded(WEIGHTS, bits)
    step = np.abs(WEIGHTS).max() / (2 ** (bits - 1) - 1)
    assert len(np.unique(made)) <= 2**bits - 1
    np.testing.assert_allclose(made / step, np.rint(made / step), atol=1e-9)
    assert np.abs(made - WEIGHTS).max() <= step / 2 * (1 + 1e-6)
    assert np.abs(made).max() == pytest.approx(np.abs(WEIGHTS).max())
    np.testing.assert_allclose(rounded(-WEIGHTS, bits), -made)
    np.testing.assert_allclose(rounded(made, bits), made)


def test_a_grid_by_hand():
    np.testing.assert_allclose(rounded(np.array([-7.0, 0.4, 3.6, 6.9]), 4), [-7, 0, 4, 7])
    assert not rounded(np.zeros(3), 4).any()


def test_noise_is_a_share_of_the_largest_weight_and_spares_zeros():
    weights = np.where(np.arange(100_000) % 2, 0, np.linspace(-2, 1, 100_000))
    noise = disturbed.noisy(weights, 0.05, np.random.default_rng(0)) - weights
    assert not noise[weights == 0].any()
    assert noise[weights != 0].std() == pytest.approx(0.05 * 2, rel=0.02)
    assert abs(noise.mean()) < 0.002


def network() -> Network:
    """Return a network with two weights of a convolution, then two of a matrix."""
    kernel = np.array([[[[1.0, 0.26]]]])
    convolution = Convolution(kernel, (1, 1), (0, 0), (1, 1, 1), (1, 1, 2))
    matrix = SparseMatrix(np.array([0, 1, 2]), np.array([0, 1], np.int32), np.array([0.1, 1.0]), 2)
    first = Layer("sum", (1, 1, 2), LINEAR, {}, {}, np.zeros(2), (Connection(IMAGE, (), convolution, None, False),))
    last = Layer("logits", (1, 1, 2), READOUT, {}, {}, np.array([5.0, 7.0]), (Connection(0, (), matrix, None, False),))
    return Network((1, 1, 1), (first, last), 0, {"model": "kept"})


def weights(of: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel and the entries of the matrix."""
    convolution, matrix = (layer.connections[0].linear for layer in of.layers)
    return convolution.kernel.ravel(), matrix.weight


def test_kernels_and_matrices_are_rounded_each_on_its_own_grid_and_biases_stay():
    rounded = disturbed.quantise(network(), 3)  # steps of a third
    np.testing.assert_allclose(weights(rounded), [[1, 1 / 3], [0, 1]])
    np.testing.assert_array_equal(rounded.layers[-1].offset, [5, 7])
    assert rounded.provenance == {"model": "kept"}
    np.testing.assert_allclose(weights(network()), [[1, 0.26], [0.1, 1]])


def test_noise_is_drawn_once_by_its_seed():
    first, again, other = (weights(disturbed.add_noise(network(), 0.1, seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.isclose(first, other).any() and not np.isclose(first, weights(network())).any()
    np.testing.assert_allclose(weights(disturbed.add_noise(network(), 1e-9, 0)), weights(network()), atol=1e-7)
