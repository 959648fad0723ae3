"""Disturbed images: closed forms of each kind, ranges and seeds."""

import colorsys

import numpy as np
import pytest

from csnn.data import corruptions
from csnn.data.corruptions import CORRUPTIONS, LEVELS, corrupt

IMAGES = np.random.default_rng(0).uniform(0.1, 0.9, (6, 12, 10, 3)).astype(np.float32)


@pytest.mark.parametrize("strength", range(1, LEVELS + 1))
def test_noise_has_its_standard_deviation_and_no_mean(strength):
    grey = np.full((20, 32, 32, 3), 0.5, np.float32)
    noise = corrupt(grey, "gaussian_noise", strength) - 0.5
    assert noise.std() == pytest.approx(CORRUPTIONS["gaussian_noise"].values[strength - 1], rel=0.01)
    assert abs(noise.mean()) < 0.001


def test_blur_is_a_gaussian_of_each_channel_by_itself():
    dot = np.zeros((2, 21, 21, 3), np.float32)
    dot[0, 10, 10, 1] = 1
    blurred = corrupt(dot, "blur", 5)  # sigma of 1 pixel
    offsets = np.arange(-4, 5)
    weights = np.exp(-(offsets**2) / 2)
    weights /= weights.sum()
    np.testing.assert_allclose(blurred[0, 6:15, 6:15, 1], np.outer(weights, weights), rtol=1e-6)
    assert blurred[0, :, :, 1].sum() == pytest.approx(1)
    assert not blurred[1].any() and not blurred[0][..., [0, 2]].any()


def test_blur_leaves_a_plain_image_up_to_its_edges():
    np.testing.assert_allclose(corrupt(np.full((1, 8, 8, 1), 0.3, np.float32), "blur", 5), 0.3, rtol=1e-6)


def test_contrast_keeps_the_mean_of_each_channel_and_scales_the_rest():
    faint = corrupt(IMAGES, "contrast", 5)
    axes = (1, 2)
    np.testing.assert_allclose(faint.mean(axes), IMAGES.mean(axes), rtol=1e-5)
    np.testing.assert_allclose(faint.std(axes), 0.15 * IMAGES.std(axes), rtol=1e-5)


def test_brightness_raises_the_value_of_hsv_only():
    bright = corrupt(IMAGES, "brightness", 3)
    for before, after in zip(IMAGES.reshape(-1, 3)[:50], bright.reshape(-1, 3)[:50], strict=True):
        hue, saturation, value = colorsys.rgb_to_hsv(*before)
        np.testing.assert_allclose(colorsys.hsv_to_rgb(hue, saturation, min(value + 0.15, 1)), after, atol=1e-6)


def test_brightness_of_black_is_grey():
    np.testing.assert_allclose(corrupt(np.zeros((1, 2, 2, 3), np.float32), "brightness", 2), 0.1, rtol=1e-6)
    np.testing.assert_allclose(corrupt(np.full((1, 2, 2, 1), 0.2, np.float32), "brightness", 2), 0.3, rtol=1e-6)


def test_pixels_are_lost_in_all_channels_and_the_others_stay():
    many = np.tile(IMAGES, (40, 1, 1, 1))
    lost = corrupt(many, "pixel_loss", 3)
    gone = (lost == 0).all(axis=3)
    assert gone.mean() == pytest.approx(0.2, abs=0.01)
    np.testing.assert_array_equal(lost[~gone], many[~gone])


@pytest.mark.parametrize("kind", CORRUPTIONS)
class TestEveryKind:
    """What all kinds have in common."""

    def test_stronger_is_farther_from_the_image(self, kind):
        distances = [np.abs(corrupt(IMAGES, kind, strength) - IMAGES).mean() for strength in range(1, LEVELS + 1)]
        assert distances[0] > 0 and (np.diff(distances) > 0).all()

    def test_pixels_stay_in_their_range_whatever_it_is(self, kind):
        for low, high in ((0, 255), (-2, 3)):
            scaled = (low + (high - low) * IMAGES).astype(np.float32)
            disturbed = corrupt(scaled, kind, 4)
            assert disturbed.dtype == np.float32
            assert min(low, scaled.min(), 0) <= disturbed.min() and disturbed.max() <= max(scaled.max(), 1)

    def test_the_first_images_are_disturbed_alike_however_many_follow_if_their_range_is_0_to_1(self, kind):
        np.testing.assert_array_equal(corrupt(IMAGES, kind, 3)[:2], corrupt(IMAGES[:2], kind, 3))

    def test_a_seed_makes_the_same_noise(self, kind):
        first, again, other = (corrupt(IMAGES, kind, 3, seed) for seed in (0, 0, 1))
        np.testing.assert_array_equal(first, again)
        assert (first == other).all() == (kind in ("blur", "contrast", "brightness"))


def test_a_set_has_one_strength_after_another():
    selection = {"images": IMAGES, "labels": np.arange(6), "indices": np.arange(10, 16), "split": np.array("test")}
    stacked = corruptions.stack(selection, "contrast", [2, 5], images=3, seed=0)
    np.testing.assert_array_equal(stacked["images"][:3], corrupt(IMAGES[:3], "contrast", 2))
    np.testing.assert_array_equal(stacked["images"][3:], corrupt(IMAGES[:3], "contrast", 5))
    assert stacked["labels"].tolist() == [0, 1, 2] * 2 and stacked["indices"].tolist() == [10, 11, 12] * 2
    assert str(stacked["split"]) == "test"
