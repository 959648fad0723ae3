"""Figures of the data and of the CNN: sample images, the image shown, and the architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import ceil
from textwrap import wrap
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from csnn.data.images import Dataset, pixels
from csnn.figures.style import PAGE_HEIGHT, PAGE_WIDTH, bare, laid_out, short, styled

LAYER_COLOURS = {"Conv": "#D6E6F4", "Pool": "#FBE5CB", "Dense": "#D5ECDF"}


def displayable(images: ArrayLike) -> NDArray[np.float64]:
    """Return images as RGB in [0, 1], shape (n, height, width, 3).

    Parameters
    ----------
    images : array, shape (n, height, width, channels), (n, time, channels) or (n, features)
        uint8, or float in [0, 1]; values beyond are scaled to fit. Other than three channels are averaged to grey.
        Series and vectors are drawn as lines, of volumes the slice in the middle.
    """
    shown = np.asarray(images)
    if shown.ndim < 4:
        return _line_plots(shown)
    while shown.ndim > 4:
        shown = shown[:, shown.shape[1] // 2]
    if shown.dtype == np.uint8:
        shown = shown / 255
    low, high = min(shown.min(), 0.0), max(shown.max(), 1.0)
    shown = (shown - low) / (high - low)
    return shown if shown.shape[3] == 3 else np.repeat(shown.mean(axis=3, keepdims=True), 3, axis=3)


def _line_plots(series: NDArray) -> NDArray[np.float64]:
    """Draw series (n, time, channels) or vectors (n, features): one line for each channel, all on the same axis."""
    series = series if series.ndim == 3 else series[..., np.newaxis]
    figure = Figure(figsize=(1.2, 0.8), dpi=100)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    lines = axes.plot(series[0], linewidth=0.6)
    axes.set_ylim(series.min(), max(series.max(), np.nextafter(series.min(), np.inf)))
    pictures = []
    for sample in series:
        for line, values in zip(lines, sample.T, strict=True):
            line.set_ydata(values)
        canvas.draw()
        pictures.append(np.asarray(canvas.buffer_rgba())[..., :3] / 255)
    return np.array(pictures)


@styled
def sample_images(dataset: Dataset, per_class: int = 10) -> Figure:
    """Draw the first training images of every class, one row per class.

    Parameters
    ----------
    dataset
    per_class
        Images per row at most; a class that has fewer leaves the rest of its row white.
    """
    images, labels, class_names = pixels(dataset.x_train), dataset.y_train, dataset.class_names
    # More classes than fit below each other on a page stand in blocks side by side: fewer images and shorter names.
    blocks = ceil(len(class_names) / 34)
    rows = ceil(len(class_names) / blocks)
    per_class = per_class if blocks == 1 else max(1, min(per_class, 15 // blocks))
    names = [short(name, 22 if blocks == 1 else 14) for name in class_names]
    chosen = [np.flatnonzero(labels == label)[:per_class] for label in range(len(names))]
    pictures = displayable(images[np.concatenate(chosen)])
    of_class = np.split(pictures, np.cumsum([len(indices) for indices in chosen])[:-1])
    height, width = pictures.shape[1:3]
    gap = max(1, height // 16)
    margin = 0.2 + 0.065 * max(map(len, names))  # of 7-point letters
    aspect = (height + gap) / (width + gap)
    column = max(0.2, min(0.5, (PAGE_WIDTH / blocks - margin) / per_class, PAGE_HEIGHT / rows / aspect))
    size = (blocks * (per_class * column + margin), rows * column * aspect + 0.15)
    figure = Figure(figsize=size, layout="compressed")
    for block, axes in enumerate(figure.subplots(1, blocks, squeeze=False)[0]):
        classes = range(block * rows, min((block + 1) * rows, len(names)))
        montage = np.ones((rows * (height + gap) - gap, per_class * (width + gap) - gap, 3))
        for row, label in enumerate(classes):
            for column_number, picture in enumerate(of_class[label]):
                top, left = row * (height + gap), column_number * (width + gap)
                montage[top : top + height, left : left + width] = picture
        axes.imshow(montage)
        axes.set_yticks(
            np.arange(len(classes)) * (height + gap) + (height - 1) / 2, [names[label] for label in classes]
        )
        axes.set_xticks([])
        bare(axes)
    return laid_out(figure)


@styled
def labelled_image(image: Mapping[str, NDArray]) -> Figure:
    """Draw the image for which logits are shown, with its class above and its place in the data set below.

    Parameters
    ----------
    image : mapping
        ``images`` (1, ...), ``labels`` (1,), ``indices`` (1,), ``split`` and ``class_names``; see
        `csnn.data.images.select`.
    """
    picture = displayable(image["images"])[0]
    label = str(image["class_names"][image["labels"][0]])
    caption = f"image {image['indices'][0]} of the {'training' if image['split'] == 'train' else 'test'} set"
    figure = Figure(figsize=(2.6, 3.1), layout="constrained")
    axes = figure.subplots()
    axes.imshow(picture)
    axes.set_title("\n".join(wrap(label, 28)), fontsize=10, fontweight="bold")
    axes.set_xlabel("\n".join(wrap(caption, 40)))
    axes.set_xticks([])
    axes.set_yticks([])
    bare(axes)
    return laid_out(figure)


@styled
def architecture(layers: Sequence[Mapping]) -> Figure:
    """Draw a network's layers as boxes in the order in which data flows, down one column and on at the top of the next.

    An arrow leads from each layer to those that it feeds. Where they do not follow each other, it runs beside the
    column; from another column, the box names the layer that it comes from.

    Parameters
    ----------
    layers : sequence of mappings
        One per layer: ``name``, ``type`` of the Keras layer, ``inputs`` (names of the layers that feed it), ``config``
        (of its Keras configuration what is shown), ``output_shape`` (without the batch) and ``parameters`` (their
        number).
    """
    import schemdraw
    from schemdraw import elements, flow

    # All lengths are in inches, which are made the drawing's unit too.
    width, line, arrow, lane, margin = 2.1, 0.13, 0.34, 0.09, 0.1
    rows = ceil(len(layers) / min(4 if len(layers) > 30 else 3, ceil(len(layers) / 6)))
    columns = ceil(len(layers) / rows)
    index_of = {layer["name"]: index for index, layer in enumerate(layers)}
    edges = [
        (index_of[name], index_of[layer["name"]]) for layer in layers for name in layer["inputs"] if name in index_of
    ]
    beside = sorted((start, end) for start, end in edges if end > start + 1 and start // rows == end // rows)
    far = {(start, end) for start, end in edges if end > start + 1 and start // rows != end // rows}
    lanes: list[int] = []  # the lowest end of what runs in each lane
    lane_of: dict[tuple[int, int], int] = {}
    for start, end in beside:
        lane_of[start, end] = next((k for k, last in enumerate(lanes) if last <= start), len(lanes))
        lanes[lane_of[start, end] :] = [end, *lanes[lane_of[start, end] + 1 :]]
    gap = 0.3 + lane * (1 + max(lane_of.values(), default=-1))

    details = [
        layer_lines(layer)
        + [short(f"and from {layers[start]['name']}", 36) for start, end in sorted(far) if end == index]
        for index, layer in enumerate(layers)
    ]
    height = 0.1 + line * (1 + max(map(len, details)))
    pitch = height + arrow
    head: dict[str, Any] = {"arrow": "->", "arrowwidth": 0.07, "arrowlength": 0.1}

    drawing = schemdraw.Drawing(show=False)
    drawing.config(unit=1, inches_per_unit=1, fontsize=7, lw=0.8)

    def draw_path(*path: tuple[float, float]) -> None:
        for start, end in pairwise(path):
            drawing.add(elements.Line(**(head if end == path[-1] else {})).at(start).to(end))

    def top(index: int) -> tuple[float, float]:
        return index // rows * (width + gap), -(index % rows) * pitch

    for index, (layer, lines) in enumerate(zip(layers, details, strict=True)):
        x, y = top(index)
        bottom = y - height
        box = flow.RoundBox(w=width, h=height, cornerradius=0.06).anchor("N").at((x, y)).theta(0)
        box.fill(next((fill for kind, fill in LAYER_COLOURS.items() if kind in layer["type"]), "#F0F0F0"))
        for number, words in enumerate([layer["type"], *lines]):
            box.label(words, "center", ofst=(0, line * (len(lines) / 2 - number)))
        shape = " × ".join(map(str, layer["output_shape"]))
        if index == len(layers) - 1:
            box.label("logits", "S", ofst=(0, -arrow - 0.08), valign="center")
        drawing.add(box.label(shape, "S", ofst=(0.07, -0.4 * arrow), halign="left", valign="center"))
        if index == len(layers) - 1 or ((index, index + 1) in edges and index % rows < rows - 1):
            draw_path((x, bottom), (x, y - pitch))
        elif (index, index + 1) in edges:
            # On to the next column: through the gap between the columns and into the first box from above.
            turn, side, next_x = bottom - 0.8 * arrow, x + width / 2 + gap - 0.15, x + width + gap
            draw_path((x, bottom), (x, turn), (side, turn), (side, 0.8 * arrow), (next_x, 0.8 * arrow), (next_x, 0))
    for (start, end), number in lane_of.items():
        x, side = top(start)[0] + width / 2, top(start)[0] + width / 2 + lane * (number + 1)
        out, into = top(start)[1] - 0.7 * height, top(end)[1] - 0.3 * height
        draw_path((x, out), (side, out), (side, into), (x, into))

    # The total stands above the columns, clear of the line that arrives there from the column before.
    above = 0.25 + (arrow if columns > 1 else 0)
    size = (columns * (width + gap) - gap * (not lane_of) + 2 * margin, above + rows * pitch + 2 * margin + 0.1)
    figure = Figure(figsize=size)
    axes = figure.add_axes((0, 0, 1, 1))
    drawing.draw(canvas=axes, show=False)
    left, bottom = -width / 2 - margin, -rows * pitch - margin - 0.1
    axes.set(xlim=(left, left + size[0]), ylim=(bottom, bottom + size[1]))
    axes.set_axis_off()
    for text in axes.texts:
        text.set_fontweight("bold" if text.get_text() in {layer["type"] for layer in layers} else "normal")
    total = sum(layer["parameters"] for layer in layers)
    axes.text(left + size[0] / 2, above - 0.1, f"{total:,} parameters in all", ha="center", va="center")
    return figure


def layer_lines(layer: Mapping) -> list[str]:
    """Put a layer's settings, name and parameters into the lines of its box below its type."""
    parameters = f", {layer['parameters']:,} parameters" if layer["parameters"] else ""
    return [short(line, 36) for line in [*wrap(settings(layer["config"]), 36), f"{layer['name']}{parameters}"]]


def settings(config: Mapping) -> str:
    """Say in words what a layer's Keras configuration sets."""
    kernel, pool = ("x".join(map(str, config.get(key, ()))) for key in ("kernel_size", "pool_size"))
    parts = [
        f"{config['filters']} filters {kernel}" if "filters" in config else "",
        f"{config['units']} units" if "units" in config else "",
        pool,
        config.get("activation", "") if config.get("activation") != "linear" else "",
    ]
    return ", ".join(part for part in parts if part)
