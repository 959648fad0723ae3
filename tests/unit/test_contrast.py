"""Text stands out from what is behind it: a contrast of 4.5 to 1 at least, which WCAG 2 asks for at level AA."""

import re

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from conftest import REPOSITORY
from csnn.figures import agreement, images
from csnn.report.pages import TEMPLATE
from example_decisions import decided

LEAST = 4.5
STYLES = {"pages": TEMPLATE, "report": REPOSITORY / "workflow" / "report" / "report.css"}
BEHIND = {"nav input::placeholder": "#1e293b"}  # the field's in Snakemake's report (slate-800)


def luminance(colour) -> float:
    """Return the relative luminance of a colour, 0 to 1 (WCAG 2.2)."""
    parts = np.array(to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_that_of_the_standard():
    assert contrast("black", "white") == pytest.approx(21)
    assert contrast("#767676", "white") == pytest.approx(4.54, abs=0.005)  # the lightest grey that passes


def rules_of(path) -> list[tuple[str, dict[str, str]]]:
    """Return each rule of a style sheet: its selector and its declarations."""
    found = re.findall(r"^ *([^\n{}/@]+?) *\{([^{}]*)\}", path.read_text(), re.MULTILINE)
    return [(name, dict(re.findall(r"([\w-]+): *([^;]+)", declared))) for name, declared in found]


@pytest.mark.parametrize("path", STYLES.values(), ids=STYLES)
def test_coloured_text_of_the_report(path):
    rules = rules_of(path)
    coloured = {name: declared for name, declared in rules if "color" in declared}
    assert coloured
    body = dict(rules).get("body", {}).get("color", "black")
    for name, declared in rules:
        behind = declared.get("background", BEHIND.get(name, "white"))
        assert contrast(declared.get("color", body), behind) >= LEAST, name


def test_numbers_in_confusion_matrices():
    classes = np.array(list("abcd"))
    for accuracy in np.linspace(0, 1, 21):
        figure = agreement.confusion_matrices([decided(accuracy, network="SRL")], {"class_names": classes})
        for axes in figure.axes[:2]:
            (image,) = axes.images
            for text in axes.texts:
                column, row = map(int, text.get_position())
                cell = image.cmap(image.norm(image.get_array()[row, column]))
                assert contrast(text.get_color(), cell) >= LEAST, text.get_text()


@pytest.mark.parametrize("colour", [*agreement.AGREEMENT_COLOURS, *images.LAYER_COLOURS.values()])
def test_text_on_bars_and_boxes(colour):
    """Of bars through the white that is behind their numbers."""
    behind = np.array(to_rgb(colour))
    if colour in agreement.AGREEMENT_COLOURS:
        behind = 0.85 + 0.15 * behind
    assert contrast("black", behind) >= LEAST
