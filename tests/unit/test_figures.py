"""What the figures show, and that nothing in them is clipped or lies over something else."""

from collections.abc import Mapping
from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from csnn.data.images import Dataset
from csnn.evaluation import robustness, tables
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from csnn.evaluation.recording import Recording
from csnn.figures import accuracy, agreement, confidence, responses, style
from csnn.figures import images as image_figures
from csnn.figures import robustness as robustness_figures
from csnn.responses import Responses
from csnn.words import CNN
from example_decisions import LABELS, decided

NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
TAUS = [0.005, 0.010, 0.015, 0.020]
NEURONS = ["RLR", "SRL", "LIF", "A-LIF"]
TWO = NEURONS[:2]


@style.styled
def boxes(figure: Figure) -> dict[str, list[Bbox]]:
    """Draw a figure as for a file and return where its parts came to lie, in pixels."""
    figure.set_dpi(200)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    renderer = canvas.get_renderer()
    shown = [axes for axes in figure.axes if axes.axison]
    bare = [text for axes in figure.axes if not axes.axison for text in axes.texts]
    return {
        "axes": [axes.get_tightbbox(renderer) for axes in shown],
        "legends": [legend.get_window_extent(renderer) for legend in figure.legends],
        "titles": [text.get_window_extent(renderer) for text in figure.texts],
        "texts": [text.get_window_extent(renderer) for text in bare],
        "ticks": [
            [label.get_window_extent(renderer) for label in labels if label.get_visible() and label.get_text()]
            for axes in shown
            for labels in (axes.get_xticklabels(), axes.get_yticklabels())
        ],
    }


def overlap(one: Bbox, other: Bbox) -> bool:
    """Whether two boxes share more than a pixel in both directions."""
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return width > 1 and height > 1


def assert_legible(figure: Figure) -> None:
    """Everything lies within the figure, and nothing on anything else."""
    parts = boxes(figure)
    ticks = parts.pop("ticks")
    everything = [(name, box) for name, found in parts.items() for box in found]
    for name, box in everything:
        inside = box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1
        assert inside, f"{name} {box} beyond {figure.bbox}"
    for (name, box), (other_name, other) in combinations(everything, 2):
        assert not overlap(box, other), f"{name} {box} on {other_name} {other}"
    for labels in ticks:
        assert not any(overlap(*pair) for pair in combinations(labels, 2)), "labels of ticks on each other"


def logits(neurons=NEURONS, taus=TAUS, classes=10, steps=100) -> dict[tuple[str, float | None], np.ndarray]:
    """Noisy logits that approach values between -6 and 6."""
    rng = np.random.default_rng(0)
    goal = rng.permutation(np.linspace(-6, 6, classes))
    rise = 1 - np.exp(-np.arange(steps) / 20)
    noise = rng.normal(scale=0.2, size=(len(neurons), len(taus), steps, classes))
    keys = enumerate(neurons), enumerate(taus)
    return {(neuron, tau): rise[:, None] * goal + noise[i, j] for (i, neuron), (j, tau) in product(*keys)}


def shown(traces, names, true_class, dt_s=0.001):
    """Return logits as a run stores them: the responses to one image, and the image."""
    stored = [
        Responses(
            trace[np.newaxis], np.array([true_class]), np.zeros(1, int), {"network": n, "tau_syn_s": t, "dt_s": dt_s}
        )
        for (n, t), trace in traces.items()
    ]
    return stored, {"class_names": np.array(names), "labels": np.array([true_class])}


def data_set(pictures, labels, class_names) -> Dataset:
    return Dataset(pictures, labels, pictures[:1], labels[:1], np.array(class_names))


def the_image(picture, label="frog"):
    """Return one image of the test set as a run stores it."""
    about = {"labels": np.zeros(1, int), "indices": np.array([7]), "split": np.array("test")}
    return about | {"images": np.asarray(picture)[np.newaxis], "class_names": np.array([label])}


def scores(neurons=NEURONS, taus=TAUS, seeds=(0,), cnn=True) -> pd.DataFrame:
    """Tidy scores that differ by neuron, tau, seed and readout."""
    rng = np.random.default_rng(1)

    def row(neuron: str, tau: float | None, seed: int | None, readout: str | None) -> Mapping:
        values = {name: rng.uniform(0.2, 0.7) * scale for name, scale in (("accuracy", 1), ("loss", 3))}
        low = {f"{name}_low": 0.9 * value for name, value in values.items()}
        high = {f"{name}_high": 1.05 * value for name, value in values.items()}
        about = {"network": neuron, "cnn": "base", "neuron": neuron, "tau_syn_s": tau, "seed": seed, "images": 100}
        return about | {"readout": readout, "cnn_accuracy": 0.7, **values, **low, **high}

    rows = [row(*key) for key in product(neurons, taus, seeds, (TIME_AVERAGED, FINAL_STEP))]
    rows = [row(CNN, None, None, None), *rows] if cnn else rows
    return tables.typed(pd.DataFrame(rows, columns=tables.COLUMNS))


def images(count=60, size=32, channels=3) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, size, size, channels), dtype=np.uint8)


def layers(count: int) -> list[dict]:
    kinds = [
        {
            "type": "Conv2D",
            "config": {"filters": 128, "kernel_size": [3, 3], "activation": "one with a long name"},
        },
        {"type": "MaxPooling2D", "config": {"pool_size": [2, 2]}},
        {"type": "Flatten", "config": {}},
        {"type": "Dense", "config": {"units": 10, "activation": "linear"}},
    ]
    return [
        kinds[k % 4]
        | {"name": f"layer_{k}", "output_shape": [30, 30, 32], "parameters": 100_000 * (k % 2)}
        | {"inputs": [f"layer_{k - 1}"] if k else []}
        for k in range(count)
    ]


# --- Figure 1: samples


def blocks_of(figure: Figure) -> list[np.ndarray]:
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes]


def test_sample_images_are_the_first_of_each_class_in_its_row():
    pictures, labels = images(60), np.arange(60) % 3
    figure = image_figures.sample_images(data_set(pictures, labels, ["ant", "bee", "cow"]), per_class=5)
    (montage,) = blocks_of(figure)
    assert montage.shape == (3 * 34 - 2, 5 * 34 - 2, 3)
    for row, place in product(range(3), range(5)):
        tile = montage[34 * row : 34 * row + 32, 34 * place : 34 * place + 32]
        np.testing.assert_allclose(tile, pictures[labels == row][place] / 255, atol=1e-7)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["ant", "bee", "cow"]
    assert list(axes.get_yticks()) == [15.5, 49.5, 83.5]  # the middle of each row
    assert_legible(figure)


def test_a_class_with_few_images_leaves_white():
    black = data_set(np.zeros((3, 8, 8, 1), np.uint8), np.array([0, 0, 1]), ["many", "few"])
    figure = image_figures.sample_images(black, per_class=2)
    (montage,) = blocks_of(figure)
    assert (montage[:8] == 0).mean() > 0.9  # both images of the first class are black
    assert (montage[9:, 9:] == 1).all() and (montage[9:, :8] == 0).all()


@pytest.mark.parametrize(("classes", "channels"), [(2, 1), (2, 3), (10, 3), (35, 1), (100, 3)])
@pytest.mark.parametrize("name", ["{}", "a class with a very long name {}"])
def test_sample_images_of_any_number_of_classes(classes, channels, name):
    labels = np.arange(60) % classes
    names = [name.format(k) for k in range(classes)]
    figure = image_figures.sample_images(data_set(images(channels=channels), labels, names))
    assert sum(len(axes.get_yticks()) for axes in figure.axes) == classes
    width, height = figure.get_size_inches()
    assert width <= 7.3 and height <= 9.7
    assert_legible(figure)


@pytest.mark.parametrize(
    "values",
    [
        np.array([0, 255], np.uint8),
        np.array([0.0, 1.0]),
        np.array([0.0, 255.0]),
        np.array([-1.0, 1.0]),
    ],
)
def test_displayable_images_fill_black_to_white(values):
    shown = image_figures.displayable(np.resize(values, (1, 2, 2, 1)))
    assert shown.shape == (1, 2, 2, 3)
    assert shown.min() == 0 and shown.max() == 1


@pytest.mark.parametrize("shape", [(40, 3), (7,)], ids=["series", "vectors"])
def test_series_and_vectors_are_drawn_as_lines(shape):
    samples = np.random.default_rng(0).random((20, *shape), np.float32)
    samples[1] = samples[0]
    shown = image_figures.displayable(samples)
    assert shown.shape == (20, 80, 120, 3) and shown.min() < 0.5 and shown.max() == 1
    np.testing.assert_array_equal(shown[0], shown[1])
    assert (shown[2] != shown[1]).any()
    assert image_figures.displayable(np.zeros((1, *shape))).shape == (1, 80, 120, 3)
    figure = image_figures.sample_images(data_set(samples, np.arange(20) % 2, ["rest", "task"]), per_class=4)
    assert figure.axes[0].images[0].get_array().shape == (2 * 85 - 5, 4 * 125 - 5, 3)


def test_of_volumes_the_middle_is_drawn():
    volumes = np.random.default_rng(0).random((2, 5, 8, 6, 3))
    np.testing.assert_array_equal(image_figures.displayable(volumes), volumes[:, 2])


def test_displayable_leaves_a_dim_image_dim():
    np.testing.assert_array_equal(image_figures.displayable(np.full((1, 2, 2, 3), 0.25)), np.full((1, 2, 2, 3), 0.25))


# --- Figure 2: architecture


@pytest.mark.parametrize("count", [1, 5, 8, 13, 30])
def test_architecture_names_every_layer_and_shape(count):
    network = layers(count)
    figure = image_figures.architecture(network)
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words.count("30 × 30 × 32") == count
    for layer in network:
        assert sum(line.split(",")[0] == layer["name"] for line in words) == 1
    assert f"{100_000 * (count // 2):,} parameters in all" in words
    assert_legible(figure)


def test_architecture_of_a_residual_network_has_an_arrow_for_each_input():
    network = layers(70)
    for block in range(2, 66, 4):
        network[block + 3]["inputs"].append(f"layer_{block}")
    figure = image_figures.architecture(network)
    words = [text.get_text() for text in figure.axes[0].texts]
    across = [word for word in words if word.startswith("and from")]
    (axes,) = figure.axes
    runs = {round(x, 3) for line in axes.lines for x in np.atleast_1d(line.get_xdata())}
    assert words.count("logits") == 1 and across == ["and from layer_34"]  # in the column before
    assert len(runs) > 4 * 2 and figure.get_size_inches()[0] < 11
    assert_legible(figure)


def test_architecture_keeps_text_in_its_box():
    figure = image_figures.architecture(layers(8))
    boxes(figure)
    (axes,) = figure.axes
    outlines = [patch.get_window_extent() for patch in axes.patches]
    frames = [box for box in outlines if box.width > 2 * figure.dpi]
    assert len(frames) == 8
    for text in axes.texts:
        if "layer_" in text.get_text() or "filters" in text.get_text():
            box = text.get_window_extent()
            assert any(
                frame.containsx(box.x0) and frame.containsx(box.x1) and frame.containsy(box.y0) for frame in frames
            )


# --- Figure 4: the chosen image


@pytest.mark.parametrize("shape", [(32, 32, 3), (28, 28, 1), (20, 60, 1), (60, 20, 3)])
def test_labelled_image_shows_the_image_and_its_label(shape):
    picture = np.random.default_rng(0).random(shape)
    figure = image_figures.labelled_image(the_image(picture))
    (axes,) = figure.axes
    np.testing.assert_allclose(axes.images[0].get_array()[..., 0], picture[..., 0])
    assert axes.get_title() == "frog" and axes.get_xlabel() == "image 7 of the test set"
    assert_legible(figure)


# --- Figures 3 and 5: logits


def lines_of(axes) -> list[tuple[np.ndarray, np.ndarray]]:
    return [line.get_data() for line in axes.lines]


def test_logits_by_tau_has_a_panel_per_tau_of_that_neuron():
    traces = logits()
    figure = responses.logits_by_tau(*shown(traces, NAMES, 6))
    assert [axes.get_title() for axes in figure.axes] == ["τ = 5 ms", "τ = 10 ms", "τ = 15 ms", "τ = 20 ms"]
    for tau, axes in zip(TAUS, figure.axes, strict=True):
        drawn = lines_of(axes)
        assert len(drawn) == 10
        for trace in traces["RLR", tau].T:
            assert sum(np.array_equal(trace, y) for _, y in drawn) == 1
    assert_legible(figure)


def test_time_is_in_milliseconds_and_begins_at_dt():
    figure = responses.logits_by_tau(*shown(logits(["LIF"], steps=50), NAMES, 0, 0.002))
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xdata(), np.arange(2, 101, 2))


def test_logits_grid_is_neurons_by_taus_with_an_axis_for_each_row():
    traces = logits()
    figure = responses.logits_grid(*shown(traces, NAMES, 6))
    assert len(figure.axes) == 16
    for (neuron, tau), axes in zip(product(NEURONS, TAUS), figure.axes, strict=True):
        assert any(np.array_equal(traces[neuron, tau][:, 3], y) for _, y in lines_of(axes))
        first = figure.axes[4 * NEURONS.index(neuron)]
        assert axes.get_xlim() == first.get_xlim() and axes.get_ylim() == first.get_ylim()
    assert [axes.get_ylabel() for axes in figure.axes[::4]] == NEURONS
    assert [axes.get_title() for axes in figure.axes[:4]] == ["τ = 5 ms", "τ = 10 ms", "τ = 15 ms", "τ = 20 ms"]
    assert_legible(figure)


def test_the_legend_names_the_lines():
    """The colour and dashes beside a name are those of that class's line; the true class is the thickest, in black."""
    traces = logits()
    figure = responses.logits_grid(*shown(traces, NAMES, 6))
    (legend,) = figure.legends
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["frog (true class)", *(name for name in NAMES if name != "frog")]
    looks = {}
    for line in figure.axes[0].lines:
        k = next(k for k in range(10) if np.array_equal(traces["RLR", 0.005][:, k], line.get_ydata()))
        looks[NAMES[k]] = (to_hex(line.get_color()), line.get_linestyle(), line.get_linewidth())
    for name, handle in zip(names, legend.get_lines(), strict=True):
        look = (to_hex(handle.get_color()), handle.get_linestyle(), handle.get_linewidth())
        assert look == looks[name.removesuffix(" (true class)")]
    assert len(set(looks.values())) == 10
    assert looks["frog"][0] == "#000000"
    assert looks["frog"][2] > max(width for name, (_, _, width) in looks.items() if name != "frog")


# Machado, Oliveira and Fernandes (2009): how protanopes and deuteranopes see linear RGB.
COLOUR_BLIND = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def cie_lab(rgb_linear: np.ndarray) -> np.ndarray:
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ rgb_linear
    x, y, z = np.cbrt(np.clip(xyz / [0.9505, 1.0, 1.089], 0.008856, None))
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", COLOUR_BLIND)
@pytest.mark.parametrize("palette", [["#000000", *responses.MUTED], ["#000000", *style.NEURON_COLOURS]])
def test_colours_differ_for_colour_blind_readers(vision, palette):
    """Ten is several times the difference in CIELAB that an eye just notices side by side."""
    linear = [np.where((c := np.array(to_rgb(k))) > 0.04045, ((c + 0.055) / 1.055) ** 2.4, c / 12.92) for k in palette]
    seen = [cie_lab(np.clip(np.array(COLOUR_BLIND[vision]) @ colour, 0, 1)) for colour in linear]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 10


@pytest.mark.parametrize("classes", [2, 20, 21, 100])
def test_logits_of_any_number_of_classes(classes):
    traces = logits(["RLR"], [0.005], classes=classes)
    figure = responses.logits_grid(*shown(traces, [f"number {k}" for k in range(classes)], 1))
    (axes,) = figure.axes
    assert len(axes.lines) == classes
    named = [text.get_text() for text in figure.legends[0].get_texts()]
    assert named[0] == "number 1 (true class)"
    if classes > 20:
        assert named[-1] == f"{classes - 20} other classes"
        best = np.argsort(traces["RLR", 0.005][-1])[-19:]
        assert {f"number {k}" for k in best} - {"number 1"} <= set(named)
    else:
        assert len(named) == classes
        looks = {(line.get_color(), str(line._dash_pattern)) for line in axes.lines}
        assert len(looks) == classes
    assert_legible(figure)


@pytest.mark.parametrize(
    ("neurons", "taus"),
    [
        (["LIF"], [None]),
        (NEURONS, [None, 0.005]),
        (["RLR"], [0.001, 0.0025, 0.005, 0.0075, 0.1]),
        ([f"neuron {k}" for k in range(5)], [0.001 * k for k in range(1, 9)]),
    ],
)
def test_logits_of_any_number_of_neurons_and_taus(neurons, taus):
    names = ["a class with quite a long name", "_hidden", "$x^2$", "", *NAMES]
    traces = logits(neurons, taus, classes=len(names))
    figure = responses.logits_grid(*shown(traces, names, 0))
    assert len(figure.axes) == len(neurons) * len(taus)
    assert len(figure.legends[0].get_texts()) == len(names)
    assert ("no filter" in [axes.get_title() for axes in figure.axes]) == (None in taus)
    assert_legible(figure)
    by_tau = responses.logits_by_tau(*shown(traces, names, 0))
    assert sum(axes.axison for axes in by_tau.axes) == len(taus)
    assert_legible(by_tau)


def test_a_combination_without_logits_is_an_empty_panel():
    traces = logits()
    del traces["SRL", 0.010]
    figure = responses.logits_grid(*shown(traces, NAMES, 6))
    assert [bool(axes.lines) for axes in figure.axes] == [k != 5 for k in range(16)]
    assert_legible(figure)


def test_steps_and_scale_do_not_matter_to_the_layout():
    for steps, scale in [(1, 1), (1000, 1e-3), (20, 1e6)]:
        traces = {key: scale * array for key, array in logits(TWO, TAUS[:2], steps=steps).items()}
        assert_legible(responses.logits_grid(*shown(traces, NAMES, 6)))


# --- Accuracy and loss over tau


@pytest.mark.parametrize(
    ("draw", "measure", "scale"),
    [
        (accuracy.accuracy_vs_tau, "accuracy", 100),
        (accuracy.loss_vs_tau, "loss", 1),
    ],
)
def test_time_averaged_and_final_step_values_with_intervals_and_the_cnn(draw, measure, scale):
    frame = scores()
    figure = draw(frame)
    assert [axes.get_title() for axes in figure.axes] == [
        "Time-averaged",
        "At the final step",
    ]
    for readout, axes in zip((TIME_AVERAGED, FINAL_STEP), figure.axes, strict=True):
        for neuron, bars in zip(NEURONS, axes.containers, strict=True):
            rows = frame[(frame["neuron"] == neuron) & (frame["readout"] == readout)]
            np.testing.assert_allclose(bars.lines[0].get_ydata(orig=False), scale * rows[measure])
            np.testing.assert_allclose(bars.lines[0].get_xdata(orig=False), 1000 * rows["tau_syn_s"], atol=1.5)
            segments = np.array(bars.lines[2][0].get_segments())[:, :, 1]
            np.testing.assert_allclose(segments, scale * rows[[f"{measure}_low", f"{measure}_high"]])
        levels = [
            line.get_ydata() for line in axes.lines if len(set(line.get_ydata())) == 1 and len(line.get_xdata()) == 2
        ]
        assert [scale * frame.loc[0, measure]] * 2 in [list(level) for level in levels]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["CNN", *NEURONS]
    markers = {bars.lines[0].get_marker() for bars in figure.axes[0].containers}
    assert len(markers) == len(NEURONS)  # told apart without colour
    assert_legible(figure)


def test_seeds_are_averaged():
    frame = scores(seeds=(0, 1, 2))
    figure = accuracy.accuracy_vs_tau(frame)
    lif = frame[(frame["neuron"] == "LIF") & (frame["readout"] == FINAL_STEP)].groupby("tau_syn_s")["accuracy"].mean()
    np.testing.assert_allclose(figure.axes[1].containers[2].lines[0].get_ydata(orig=False), 100 * lif)
    assert "means over 3 seeds" in figure.legends[0].get_title().get_text()


@pytest.mark.parametrize(
    ("taus", "labels"),
    [
        ([0.005], ["5"]),
        ([None], ["no filter"]),
        ([None, 0.005], ["no filter", "5"]),
        ([None, *TAUS], ["no filter", "5", "10", "15", "20"]),
        ([0.001, 0.002, 0.1], ["1", "2", "100"]),  # on a logarithmic axis
        ([0.001 * k for k in range(1, 41)], None),
    ],
)
@pytest.mark.parametrize("neurons", [["LIF"], [f"neuron {k}" for k in range(9)]])
def test_any_taus_and_neurons(taus, labels, neurons):
    figure = accuracy.accuracy_vs_tau(scores(neurons, taus))
    ticks = [label.get_text() for label in figure.axes[0].get_xticklabels()]
    assert labels is None or ticks == labels
    for axes in figure.axes:
        assert len(axes.containers) == len(neurons)
        assert all(len(bars.lines[0].get_xdata()) == len(taus) for bars in axes.containers)
        low, high = axes.get_xlim()
        assert all(low < x < high for bars in axes.containers for x in bars.lines[0].get_xdata())
    assert_legible(figure)


@pytest.mark.parametrize("cnn", [True, False])
def test_scores_without_the_cnn_or_without_intervals(cnn):
    """One image has no interval of its loss."""
    frame = scores(cnn=cnn)
    frame[[f"{measure}_{bound}" for measure in tables.MEASURES for bound in ("low", "high")]] = np.nan
    figure = accuracy.loss_vs_tau(frame)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["CNN"] * cnn + NEURONS
    low, high = figure.axes[0].get_ylim()
    assert low == 0 and high > frame["loss"].max()
    assert_legible(figure)


# --- Decisions over time, agreement, operations, readouts, the gap


def of_steps(*accuracies: float, **described):
    """Return decisions whose accuracy at each step is given."""
    right = np.arange(len(LABELS))[:, np.newaxis] < np.round(len(LABELS) * np.array(accuracies))
    leaders = np.where(right, LABELS[:, np.newaxis], (LABELS[:, np.newaxis] + 1) % 4)
    return decided(leaders=leaders, **described)


class TestOverTime:
    """One panel for each network, one curve for each time constant, and the network's own CNN."""

    def test_every_network_has_its_panel_and_every_configuration_its_curve(self):
        figure = accuracy.accuracy_over_time(
            [
                of_steps(0.2, 0.6, 0.5, network="SRL", cnn_accuracy=0.9),
                of_steps(0.1, 0.2, 0.4, network="SRL", tau=None, cnn_accuracy=0.9),
                of_steps(0.1, 0.1, 0.1, network="small/SRL", cnn="small", cnn_accuracy=0.3),
            ]
        )
        curves = {axes.get_title(): [list(line.get_ydata()) for line in axes.lines] for axes in figure.axes}
        assert list(curves) == ["CNN itself, SRL", "small, SRL"]
        np.testing.assert_allclose(curves["CNN itself, SRL"][0], [20, 60, 50])
        np.testing.assert_allclose(curves["CNN itself, SRL"][2], [10, 20, 40])
        np.testing.assert_allclose(curves["small, SRL"][0], [10, 10, 10])
        levels = [set(lines[1]) for lines in curves.values()]
        np.testing.assert_allclose([list(level) for level in levels], [[90], [30]])
        legend = [text.get_text() for text in figure.legends[0].get_texts()]
        assert legend == ["no filter", "τ = 5 ms", "CNN"]
        assert_legible(figure)

    def test_seeds_are_averaged(self):
        figure = accuracy.accuracy_over_time([of_steps(0.2, 0.4, seed=0), of_steps(0.4, 0.5, seed=1)])
        np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [30, 45])

    def test_many_networks_stay_legible(self):
        networks = [
            of_steps(0.2, 0.4, network=f"{cnn}/A-LIF/rate-{rate}", cnn=cnn, max_rate_hz=rate, initial_voltage=start)
            for rate, start in ((100, "zero"), (200, "half"), (415, "random"))
            for cnn in ("base", "average", "lif-tuned", "wide-lif-tuned")
        ]
        figure = accuracy.accuracy_over_time(networks)
        assert len(figure.axes) == 12 and figure.get_size_inches()[1] < 6
        assert_legible(figure)

    @pytest.mark.parametrize(("draw", "measure", "scale"), [("ece", "ece", 100), ("brier", "brier", 1)])
    def test_calibration_is_that_of_each_step_and_of_the_own_cnn(self, draw, measure, scale):
        seeds = [of_steps(0.2, 0.9, 0.5, seed=0, cnn_accuracy=0.6), of_steps(0.3, 0.4, 0.5, seed=1, cnn_accuracy=0.6)]
        figure = getattr(confidence, f"{draw}_over_time")(seeds)
        (axes,) = figure.axes
        expected = scale * np.mean([decided.confidence[measure] for decided in seeds], axis=0)
        np.testing.assert_allclose(axes.lines[0].get_ydata(), expected)
        np.testing.assert_allclose(axes.lines[1].get_ydata(), scale * seeds[0].confidence[f"cnn_{measure}"][0])
        assert axes.get_ylim()[1] > expected.max()
        assert_legible(figure)

    def test_settling_times_add_up_to_all_images(self):
        figure = agreement.settling_time([of_steps(0.5, 0.5, 0.9, 0.9)])
        np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [60, 60, 100, 100])


class TestAgreement:
    """Decisions at the final step beside those of the network's own CNN."""

    def test_bars_are_the_shares_of_agreement_with_the_own_cnn(self):
        configurations = [
            decided(0.7, network="SRL", cnn_accuracy=0.8),
            decided(0.2, network="small/SRL", cnn="small", cnn_accuracy=0.3),
        ]
        figure = agreement.agreement_with_cnn(configurations)
        for axes, (both, only_cnn) in zip(figure.axes, [(70, 10), (20, 10)], strict=True):
            assert [bar.get_height() for bar in axes.patches[:3]] == pytest.approx(
                [both, 100 - both - only_cnn, only_cnn]
            )
            assert axes.texts[0].get_text() == "90.0"

    def test_confusion_is_of_each_cnn_and_of_each_network_at_its_best_time_constant(self):
        configurations = [
            decided(0.5, network="SRL", cnn_accuracy=0.8),
            decided(0.6, network="SRL", tau=0.01, cnn_accuracy=0.8),
            decided(0.2, network="small/SRL", cnn="small", cnn_accuracy=0.3),
        ]
        figure = agreement.confusion_matrices(configurations, {"class_names": np.array(list("abcd"))})
        shown = {axes.get_title(): np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.get_title()}
        assert list(shown) == ["CNN", "CNN itself, SRL, τ = 10 ms", "small/CNN", "small, SRL, τ = 5 ms"]
        assert [matrix[0, 0] for matrix in shown.values()] == pytest.approx([80, 60, 30, 20])

    def test_the_sum_of_agreement_stands_in_the_middle_of_it(self):
        (axes,) = agreement.agreement_with_cnn([decided(0.7, cnn_accuracy=0.8)]).axes
        assert axes.texts[0].get_position() == (0, 45) and axes.texts[0].get_text() == "90.0"

    def test_classes_are_named_legibly_in_every_panel(self):
        networks = [decided(0.5, network=neuron) for neuron in NEURONS]
        figure = agreement.confusion_matrices(networks, {"class_names": np.array(NAMES[:4])})
        assert len(figure.axes) == 7  # with an empty one and the colour bar
        assert_legible(figure)


def test_a_neuron_looks_the_same_wherever_it_is_in_the_list():
    everywhere = style.looks(NEURONS)
    assert style.looks(["LIF"])["LIF"] == everywhere["LIF"] == style.looks(["mine", "LIF", "RLR"])["LIF"]
    assert len({str(look) for look in style.looks([*NEURONS, "RSRL", "mine", "other"]).values()}) == 7


@pytest.mark.slow
def test_figures_of_hundreds_of_configurations_stay_small():
    taus = np.geomspace(0.001, 0.3, 280).round(6).tolist()
    grid = responses.logits_grid(*shown(logits(TWO, taus, classes=3), list("abc"), 0))
    assert len(grid.axes) == 2 * 8 and "8 of 280 τ" in grid._suptitle.get_text()
    first = of_steps(0.2, 0.4)
    of_taus, of_rates = (
        [first._replace(configuration=first.configuration | other) for other in others]
        for others in (
            [{"tau_syn_s": tau} for tau in taus],
            [{"network": f"rate-{rate}/LIF", "max_rate_hz": rate} for rate in range(100, 400)],
        )
    )
    for figure in (
        agreement.agreement_with_cnn(of_taus),
        accuracy.accuracy_over_time(of_taus),
        accuracy.accuracy_vs_tau(scores(TWO, taus)),
        agreement.agreement_with_cnn(of_rates),
        agreement.settling_time(of_rates),
        accuracy.accuracy_over_time(of_rates),
        accuracy.accuracy_vs_tau(tables.scores({}, of_rates)),
        accuracy.readouts_vs_tau(tables.scores({}, of_rates)),
    ):
        assert max(figure.get_size_inches()) < 20
        assert_legible(figure)


class TestManyConfigurations:
    """Beyond a dozen, colours stand for curves, and panels are a choice that is called one."""

    def test_many_time_constants_are_rows_of_colours(self):
        taus = [None, *(0.001 * k for k in range(1, 14))]
        shares = [(k / 20, 0.5, 0.7) for k in range(14)]
        of_taus = [of_steps(*share, tau=tau, network="SRL") for share, tau in zip(shares, taus, strict=True)]
        figure = accuracy.accuracy_over_time([*reversed(of_taus), of_steps(0.1, 0.1, 0.1, tau=0.005, network="LIF")])
        (srl,), (lif,) = (axes.images for axes in figure.axes[:2])
        np.testing.assert_allclose(srl.get_array(), 100 * np.array(shares))
        assert (~np.ma.getmaskarray(lif.get_array()).all(axis=1)).tolist() == [tau == 0.005 for tau in taus]
        assert srl.get_extent() == [0, 3, -0.5, 13.5] and figure.axes[0].get_title() == "SRL\n(CNN: 90.0)"
        labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert labels[0] == "no filter" and labels[-1] == "13" and figure.axes[0].get_yticks()[-1] == 13
        assert_legible(figure)

    def test_many_conversions_are_rows_of_colours(self):
        frames = [
            scores(TWO, [None, 0.005, 0.02], cnn=False).assign(max_rate_hz=rate) for rate in range(100, 1400, 100)
        ]
        for frame in frames:
            frame["network"] += "/rate-" + frame["max_rate_hz"].astype(str)
        table = pd.concat(frames, ignore_index=True).assign(initial_voltage="random")
        figure = accuracy.accuracy_vs_tau(table)
        for axes, readout in zip(figure.axes, (TIME_AVERAGED, FINAL_STEP), strict=False):
            for (network, tau), rows in table[table["readout"] == readout].groupby(
                ["network", "tau_syn_s"], dropna=False
            ):
                row = list(dict.fromkeys(table["network"])).index(network)
                column = [0, 0.005, 0.02].index(0 if pd.isna(tau) else tau)
                assert axes.images[0].get_array()[row, column] == pytest.approx(100 * rows["accuracy"].iloc[0])
        rows = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert len(rows) == 26 and rows[:3] == ["100 Hz, RLR", "100 Hz, SRL", "200 Hz, RLR"]
        assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["no filter", "5", "20"]
        assert_legible(figure)

    def test_a_choice_of_networks_is_called_one(self):
        networks = [of_steps(0.2, 0.4, network=f"rate-{rate}/LIF", max_rate_hz=rate) for rate in range(100, 140)]
        for figure in (accuracy.accuracy_over_time(networks), agreement.agreement_with_cnn(networks)):
            titles = [axes.get_title() for axes in figure.axes]
            assert len(titles) == 12 and (titles[0], titles[-1]) == ("100 Hz, LIF", "139 Hz, LIF")
            assert "12 of 40 panels, evenly chosen" in "".join(text.get_text() for text in figure.texts)
            assert_legible(figure)


def test_colours_of_spikes_are_not_clipped_and_rates_have_their_own():
    layer = np.zeros((50, 8))
    layer[10, 3] = 6
    still = np.zeros(50)
    recorded = Recording(
        spikes={"RLR": [0.5 * layer], "LIF": [layer]},
        voltages={"RLR": np.full(50, np.nan), "LIF": still},
        output={"RLR": still, "LIF": still},
        tau_syn_s=0.005,
        dt_s=0.001,
    )
    figure = responses.spikes_and_voltages(recorded)
    rate, spikes = (axes.images[0] for axes in figure.axes[:2])
    assert (rate.norm.vmax, spikes.norm.vmax) == (3, 6) and rate.cmap.name != spikes.cmap.name
    assert figure.axes[0].get_title() == "RLR (rate neurons)"
    assert_legible(figure)


def test_pareto_front_is_what_no_other_point_beats():
    costs, gains = [1, 2, 3, 4, 2], [0.1, 0.5, 0.4, 0.9, 0.3]
    assert accuracy.pareto_front(costs, gains).tolist() == [0, 1, 3]
    random = np.random.default_rng(0)
    costs, gains = random.integers(0, 20, 200), random.integers(0, 20, 200)
    front = accuracy.pareto_front(costs, gains)
    for cost, gain in zip(costs, gains, strict=True):
        on_front = any(cost == costs[i] and gain == gains[i] for i in front)
        beaten = ((costs <= cost) & (gains >= gain) & ((costs < cost) | (gains > gain))).any()
        assert on_front != beaten


def test_titles_say_only_what_differs():
    same = pd.DataFrame({"cnn": ["base"] * 2, "max_rate_hz": [415] * 2, "initial_voltage": ["random"] * 2})
    assert style.conversion_titles(same).tolist() == ["CNN itself"] * 2
    assert style.conversion_titles(same.assign(cnn=["base", "wide"])).tolist() == ["CNN itself", "wide"]
    differ = same.assign(max_rate_hz=[100, "[1, 2]"], initial_voltage=["zero", "half"])
    assert style.conversion_titles(differ).tolist() == ["100 Hz, start zero", "[1, 2] Hz, start half"]


def test_a_network_is_named_by_its_neurons_where_nothing_else_differs():
    rows = pd.DataFrame(
        {"cnn": ["base"] * 2, "max_rate_hz": 415, "initial_voltage": "random", "neuron": ["SRL", "LIF"]}
    )
    assert style.network_titles(rows).tolist() == ["SRL", "LIF"]
    assert style.network_titles(rows.assign(cnn="small")).tolist() == ["small, SRL", "small, LIF"]


def test_operations_add_up_to_those_of_the_whole_time():
    spiking = {"cost": {"macs": 100.0, "cnn_macs": 150.0}, "operations_per_step": [10.0, 20.0, 30.0]}
    rate = {"cost": {"macs": 160.0, "cnn_macs": 150.0}, "operations_per_step": [10.0, 20.0, 30.0]}
    networks = [{"network": "SRL"}, {"network": "RLR"}, {"network": "wide/SRL", "cnn": "wide"}]
    configurations = [of_steps(0.2, 0.6, 0.5, **network) for network in networks]
    figure = accuracy.accuracy_vs_operations(configurations, [spiking, rate, spiking])
    curves = {axes.get_title(): [line for line in axes.lines if line.get_linewidth() < 1] for axes in figure.axes}
    assert {title: len(lines) for title, lines in curves.items()} == {"CNN itself": 2, "wide": 1}
    for curve in (line for lines in curves.values() for line in lines):
        assert np.asarray(curve.get_xdata()).tolist() == [110, 130, 160]
        np.testing.assert_allclose(curve.get_ydata(), [20, 60, 50])
    assert_legible(figure)


def test_figures_of_tables_draw_their_numbers():
    configurations = [
        of_steps(0.2, 0.5, network="SRL"),
        of_steps(0.2, 0.5, network="SRL", tau=0.01),
        of_steps(0.2, 0.5, network="lif/LIF", cnn="lif"),
    ]
    table = tables.scores({}, configurations)
    figure = accuracy.readouts_vs_tau(table)
    assert [axes.get_title() for axes in figure.axes[:2]] == ["final step", "time-averaged"]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), [[5, 50], [10, 50]])
    np.testing.assert_allclose(figure.axes[1].lines[0].get_xydata(), [[5, 35], [10, 35]])
    figure = accuracy.gap_to_cnn(table[table["kind"] == FINAL_STEP])
    np.testing.assert_allclose(figure.axes[0].lines[0].get_xydata(), [[40, 0], [40, 1], [40, 2]])


def disturbed_table(neurons=NEURONS, cnns=("base",), bits=(8, 6, 4)) -> pd.DataFrame:
    """A table of five kinds at five strengths, and of disturbed weights."""
    names = [(cnn, neuron) for cnn in cnns for neuron in neurons]
    of_networks = [
        decided(0.4, 0.45, network=neuron if cnn == "base" else f"{cnn}/{neuron}", cnn=cnn) for cnn, neuron in names
    ]
    clean = [network._replace(labels=LABELS) for network in of_networks]
    kinds = dict.fromkeys(("gaussian_noise", "blur", "contrast", "brightness", "pixel_loss"), clean)
    conditions = [("weight_noise", 0.01), ("weight_noise", 0.2), *(("weight_bits", number) for number in bits)]
    weights = robustness.Weights(conditions, np.tile(LABELS[:80], (len(conditions), 1)), LABELS[:80])
    return robustness.table(clean, kinds, [1, 2, 3, 4, 5], [weights] * len(clean), 80)


def test_disturbances_have_a_panel_each_and_neurons_their_colours():
    table = disturbed_table()
    figure = robustness_figures.corruptions(table)
    panels = {axes.get_title(): axes for axes in figure.axes if axes.axison}
    assert list(panels) == [
        "Gaussian noise", "Blur", "Contrast", "Brightness", "Pixel loss", "Weight noise", "Bits of weights",
    ]  # fmt: skip
    assert [label.get_text() for label in panels["Bits of weights"].get_xticklabels()] == ["exact", "8", "6", "4"]
    assert [label.get_text() for label in panels["Blur"].get_xticklabels()] == list("012345")
    cnn, *networks = (container.lines[0] for container in panels["Blur"].containers)
    blurred = table[table["corruption"].isin(["clean", "blur"])]
    for line, name in zip([cnn, *networks], ["CNN", *NEURONS], strict=True):
        np.testing.assert_allclose(line.get_ydata(), 100 * blurred.loc[blurred["network"] == name, "accuracy"])
    assert [line.get_color() for line in networks] == [look["color"] for look in style.looks(NEURONS).values()]
    assert len(panels["Weight noise"].containers) == len(NEURONS)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [*NEURONS, "CNN"]
    assert_legible(figure)


def test_disturbances_of_networks_of_several_cnns():
    figure = robustness_figures.corruptions(disturbed_table(["SRL", "LIF"], ["base", "small"]))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["CNN itself, SRL", "CNN itself, LIF", "small, SRL", "small, LIF", "its own CNN"]
    assert_legible(figure)


@pytest.mark.parametrize(
    ("kind", "delays", "label"),
    [("alpha", [5, 10, 20], "alpha"), ("rise-0.0025", [5, 7.5, 12.5], "double exponential, rise 2.5 ms")],
)
def test_kinds_of_synapse_stand_in_one_panel_by_their_mean_delay(kind, delays, label):
    lowpass, other = scores(["SRL", "LIF"], [None, 0.005, 0.02]), scores(["SRL", "LIF"], [0.0025, 0.005, 0.01])
    other = other[other["neuron"] != CNN].assign(synapse=kind)
    other["network"] += f"/{kind}"
    table = pd.concat([lowpass.assign(synapse="lowpass"), other], ignore_index=True).assign(
        kind=lambda rows: rows["readout"].where(rows["readout"] == FINAL_STEP), max_rate_hz=415, initial_voltage="half"
    )
    for figure in (accuracy.accuracy_vs_tau(table), accuracy.loss_vs_tau(table), accuracy.readouts_vs_tau(table)):
        axes = figure.axes[0]
        xlabel = axes.get_xlabel() or figure.get_supxlabel()
        assert xlabel == "Mean delay of a synapse (ms)"
        assert len(axes.containers) == 4, "two types of neuron, two kinds of synapse"
        lines = [bars.lines[0] for bars in axes.containers]
        ends = sorted({(line.get_linestyle(), len(line.get_xdata())) for line in lines})
        assert ends == [("-", 3), ("--", 3)]
        drawn = [line.get_xdata(orig=False) for line in lines if line.get_linestyle() == "--"]
        np.testing.assert_allclose(drawn, [delays, delays], atol=0.8)
        legend = [text.get_text() for text in figure.legends[0].get_texts()]
        assert legend[-2:] == ["lowpass", label]
        assert_legible(figure)
    alone = accuracy.accuracy_vs_tau(table[(table["synapse"] == kind) | (table["neuron"] == CNN)])
    assert alone.axes[0].get_xlabel() == f"Synaptic time constant τ (ms), {label}"


def test_titles_name_the_synapse_where_any_is_not_a_lowpass():
    both = [of_steps(0.2, 0.5), of_steps(0.2, 0.6, network="LIF/alpha", neuron="LIF", synapse="alpha")]
    titles = [axes.get_title() for axes in accuracy.accuracy_over_time(both).axes]
    assert titles == ["lowpass, LIF", "alpha, LIF"]
    assert [axes.get_title() for axes in accuracy.accuracy_over_time(both[1:]).axes] == ["alpha, LIF"]
    assert [axes.get_title() for axes in accuracy.accuracy_over_time(both[:1]).axes] == ["LIF"]


def test_several_cnns_have_a_level_each():
    frame = scores(["SRL"])
    small = frame.assign(network="small/" + frame["network"], cnn="small", accuracy=0.5 * frame["accuracy"])
    figure = accuracy.accuracy_vs_tau(pd.concat([frame[:1], small[:1], frame[1:], small[1:]], ignore_index=True))
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["its own CNN", "SRL"]
    assert [axes.get_ylabel() for axes in figure.axes[::2]] == ["CNN itself", "small"]
    levels = [axes.lines[0].get_ydata()[0] for axes in figure.axes[::2]]
    assert levels[1] == pytest.approx(0.5 * levels[0])
    assert_legible(figure)


def test_further_cnns_stand_beside_the_first_for_the_neurons_that_they_have():
    frame = scores(["RLR", "LIF"], taus=(0.005, 0.01))
    better = frame[frame["neuron"] != "RLR"]
    values = {name: 1.2 * better[name] for name in ("accuracy", "accuracy_low", "accuracy_high")}
    better = better.assign(network="tuned/" + better["network"], cnn="tuned", **values)
    table = pd.concat([frame[:1], better[:1], frame[1:], better[1:]], ignore_index=True)
    figure = accuracy.by_cnn(table)
    (axes,) = figure.axes
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert [name.partition(",")[0] for name in names] == ["LIF", "tuned/LIF"], "RLR is on the first alone"
    dots = [bars.lines[0] for bars in axes.containers]
    levels = [line for line in axes.lines if len(line.get_xdata()) == 2]
    best = frame[(frame["neuron"] == "LIF") & (frame["readout"] == FINAL_STEP)]["accuracy"].max()
    np.testing.assert_allclose([line.get_xdata()[0] for line in dots], [100 * best, 120 * best])
    cnn = frame["accuracy"].iloc[0]
    np.testing.assert_allclose([line.get_xdata()[0] for line in levels], [100 * cnn, 120 * cnn])
    assert_legible(figure)


# --- Files

FIGURES = {
    "sample_images": lambda: image_figures.sample_images(data_set(images(), np.arange(60) % 10, NAMES)),
    "architecture": lambda: image_figures.architecture(layers(8)),
    "labelled_image": lambda: image_figures.labelled_image(the_image(images()[0])),
    "logits_by_tau": lambda: responses.logits_by_tau(*shown(logits(), NAMES, 6)),
    "logits_grid": lambda: responses.logits_grid(*shown(logits(TWO, TAUS[:2]), NAMES, 6)),
    "accuracy_vs_tau": lambda: accuracy.accuracy_vs_tau(scores()),
    "loss_vs_tau": lambda: accuracy.loss_vs_tau(scores()),
}


@pytest.mark.parametrize("name", FIGURES)
def test_saved_twice_a_figure_is_the_same_file(name, tmp_path):
    figure = FIGURES[name]()
    endings = ("png", "svg", "pdf")
    style.save(figure, [tmp_path / f"first.{ending}" for ending in endings])
    style.save(figure, [tmp_path / f"second.{ending}" for ending in endings])
    style.save(FIGURES[name](), [tmp_path / f"redrawn.{ending}" for ending in reversed(endings)])
    for ending in endings:
        first = (tmp_path / f"first.{ending}").read_bytes()
        assert first == (tmp_path / f"second.{ending}").read_bytes()
        assert first == (tmp_path / f"redrawn.{ending}").read_bytes()
    assert not list(tmp_path.glob(".*")) and len(list(tmp_path.iterdir())) == 9


def test_files_can_be_read_everywhere(tmp_path):
    """PNG for print; in the SVG letters are outlines, nothing is fetched, and no date tells runs apart."""
    style.save(FIGURES["logits_by_tau"](), [tmp_path / "figure3.png", tmp_path / "figure3.svg"])
    header = (tmp_path / "figure3.png").read_bytes()
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    assert int.from_bytes(header[16:20]) == pytest.approx(7.2 * 200, abs=1)
    svg = (tmp_path / "figure3.svg").read_text()
    assert "<text" not in svg and "dc:date" not in svg and "@import" not in svg


def test_a_figure_that_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "figure1.png"
    path.write_bytes(b"old")
    figure = FIGURES["labelled_image"]()
    figure.axes[0].set_title("a{", parse_math=True)
    figure.axes[0].set_xlabel("$\\nosuchcommand$", parse_math=True)
    with pytest.raises(ValueError, match="nosuchcommand"):
        style.save(figure, [path])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_readers_own_matplotlib_settings_change_nothing(tmp_path):
    import matplotlib

    style.save(FIGURES["accuracy_vs_tau"](), [tmp_path / "plain.png"])
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 30}):
        style.save(FIGURES["accuracy_vs_tau"](), [tmp_path / "styled.png"])
        assert matplotlib.rcParams["font.size"] == 20
    assert (tmp_path / "plain.png").read_bytes() == (tmp_path / "styled.png").read_bytes()
