"""The interactive page: choose network, time constant and image; see logits, running decision and image."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from csnn.evaluation.decisions import Decided
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from csnn.figures.images import displayable
from csnn.figures.responses import MUTED, NAMED_CLASSES
from csnn.report import pages
from csnn.words import CNN, milliseconds

MOST_NUMBERS = 200_000
"""Logits that the page holds at most: it must stay small (see `pages.packed`)."""
MOST_IMAGES = 20
SCRIPT = Path(__file__).with_name("explorer.js")
COLOURS = [*MUTED, "#000000"]


def images_shown(labels: NDArray[np.int64], configurations: int, steps: int, classes: int) -> NDArray[np.int64]:
    """Return positions of the images that the page shows: the first of each class, then the second, as many as fit."""
    rank = pd.Series(labels).groupby(labels).cumcount().to_numpy()
    size = min(MOST_IMAGES, max(1, MOST_NUMBERS // (configurations * steps * classes)))
    return np.lexsort((labels, rank))[:size]


def picture(image: ArrayLike, size: int = 128) -> str:
    """Return an image (height, width, channels) as the URI of a PNG, scaled up without smoothing."""
    from PIL import Image

    pixels = np.rint(255 * displayable(np.asarray(image)[np.newaxis])[0]).astype(np.uint8)
    scale = max(1, size // max(pixels.shape[:2]))
    buffer = io.BytesIO()
    Image.fromarray(pixels.repeat(scale, axis=0).repeat(scale, axis=1)).save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def steps_shown(configurations: int, steps: int, classes: int) -> NDArray[np.int64]:
    """Return the steps, from 0, at which the page holds logits: every one, or as many as fit for a single image."""
    return np.arange(steps - 1, -1, -max(1, -(-configurations * steps * classes // MOST_NUMBERS)))[::-1]


def record(
    logits: NDArray, decided: Decided, position: int, kept: NDArray[np.int64], names: Sequence[str]
) -> dict[str, Any]:
    """Return what the page holds of one network's answer to one image.

    Parameters
    ----------
    logits : (steps, classes) float
    decided
        The network's decisions.
    position
        Of the image in the decisions.
    kept : (n,) int
        Steps, from 0, whose logits are kept; decisions are kept of all.
    names
        Of the classes.
    """
    leader = decided.leaders[position]
    truth, cnn = names[decided.labels[position]], names[decided.cnn_classes[position]]
    final = names[leader[-1]]
    dt_ms = 1000 * decided.configuration["dt_s"]
    changes = np.flatnonzero(np.diff(leader)) + 1
    starts, ends = [0, *changes], [*changes, len(leader)]
    description = (
        f"true class: {truth}\nCNN: {cnn} ({'right' if cnn == truth else 'wrong'})\n"
        f"this network, at the final step: {final} ({'right' if final == truth else 'wrong'})\n"
        f"unchanged from {dt_ms * decided.settling_steps[position]:.4g} ms on"
    )
    return {
        "network": decided.configuration["network"],
        "tau": milliseconds(decided.configuration["tau_syn_s"]),
        "image": f"{position}: {truth}",
        "truth": truth,
        "description": description,
        "t": [float(f"{dt_ms * (step + 1):.6g}") for step in kept],
        "start": [float(f"{dt_ms * step:.6g}") for step in starts],
        "end": [float(f"{dt_ms * step:.6g}") for step in ends],
        "decision": [names[leader[step]] for step in starts],
        "cnn": cnn,
        **{f"c{k}": [float(f"{value:.2f}") for value in column] for k, column in enumerate(logits[kept].T)},
    }


def chart(records: Sequence[dict], names: Sequence[str]) -> dict:
    """Return the chart of one record, which fields on the page choose, as a Vega-Lite specification.

    Parameters
    ----------
    records
        See `record`.
    names
        Of the classes.
    """
    chosen = {}
    for key, label in (("network", "Network"), ("tau", "τ (ms)"), ("image", "Image")):
        values = list(dict.fromkeys(record[key] for record in records))
        field = alt.binding_select(options=values, name=label, element="#choices")
        chosen[key] = alt.param(name=f"chosen_{key}", value=values[0], bind=field)
    only = " && ".join(f"datum.{key} == chosen_{key}" for key in chosen)
    columns: list[Any] = [f"c{k}" for k in range(len(names))]
    few = len(names) <= NAMED_CLASSES
    legend = alt.Legend(orient="top", columns=5) if few else None
    colour = alt.Color("class:N", title=None, sort=None, legend=legend).scale(
        domain=list(names), range=[COLOURS[k % len(COLOURS)] for k in range(len(names))]
    )
    end_ms = records[0]["t"][-1]
    time = alt.X("t:Q", title="Time since the image appeared (ms)").scale(domain=[0, end_ms], nice=False)
    labels = alt.Axis(minExtent=46, maxExtent=46)  # the charts stay in line whatever their labels are
    logits = (
        alt.Chart(height=280)
        .transform_filter(only)
        .transform_flatten(["t", *columns])
        .transform_fold(columns, as_=["column", "logit"])
        .transform_calculate(**{"class": f"{json.dumps(list(names))}[toNumber(slice(datum.column, 1))]"})
        .mark_line()
        .encode(
            x=time,
            y=alt.Y("logit:Q", title="Logit", axis=labels),
            color=colour,
            strokeWidth=alt.when("datum.class == datum.truth").then(alt.value(3.5)).otherwise(alt.value(1.2)),
            opacity=alt.when("datum.class == datum.truth").then(alt.value(1)).otherwise(alt.value(1 if few else 0.4)),
            tooltip=[alt.Tooltip("t:Q", title="ms"), "class:N", alt.Tooltip("logit:Q", format=".2f")],
        )
        .properties(title="Logits over time; the true class in bold" + ("" if few else ", others by pointing at them"))
    )
    spans = (
        alt.Chart()
        .transform_filter(only)
        .transform_flatten(["start", "end", "decision"])
        .transform_calculate(**{"class": "datum.decision", "who": "'network'"})
    )
    whole_time = (
        alt.Chart()
        .transform_filter(only)
        .transform_calculate(**{"class": "datum.cnn", "who": "'CNN'", "start": "0", "end": str(end_ms)})
    )
    decision = (
        alt.layer(
            *(
                bars.mark_bar(height=22, strokeWidth=0).encode(
                    x=alt.X("start:Q", title=None, axis=None).scale(domain=[0, end_ms], nice=False),
                    x2="end:Q",
                    y=alt.Y("who:N", title=None, sort=["network", "CNN"], axis=labels),
                    color=colour,
                    tooltip=[alt.Tooltip("class:N", title="decision"), "start:Q", "end:Q"],
                )
                for bars in (spans, whole_time)
            )
        )
        .properties(height=56)
        .properties(title="Decision at each time, and the CNN's")
    )
    spec = (
        alt.vconcat(logits, decision, data=alt.NamedData("records"))
        .add_params(*chosen.values())
        .configure_view(stroke=None)
        .configure_axis(grid=True, gridColor="#e6e6e6", labelFontSize=12, titleFontSize=12, titleFontWeight="normal")
        .configure_title(anchor="start", fontSize=13)
        .configure_legend(labelFontSize=12, titleFontSize=12, symbolType="stroke", symbolStrokeWidth=3)
        .to_dict()
    )
    return spec | {"datasets": {"records": list(records)}}  # Altair itself would check every number against its schema


def configurations(scores: pd.DataFrame) -> pd.DataFrame:
    """Return every CNN and every configuration as text: final-step and time-averaged scores in one row.

    Parameters
    ----------
    scores
        See `csnn.evaluation.tables.scores`.
    """
    rows: dict[tuple, dict[str, str]] = {}
    for row in scores.to_dict("records"):
        is_cnn = row["neuron"] == CNN
        shown = rows.setdefault(
            (row["network"], milliseconds(row["tau_syn_s"]), str(row["seed"])),
            {
                "network": row["network"],
                "τ (ms)": "" if is_cnn else milliseconds(row["tau_syn_s"]),
                "seed": "" if is_cnn else str(row["seed"]),
            },
        )
        for readout in [FINAL_STEP, TIME_AVERAGED] if is_cnn else [row["readout"]]:
            if readout in (FINAL_STEP, TIME_AVERAGED):
                low, high = 100 * row["accuracy_low"], 100 * row["accuracy_high"]
                shown[f"accuracy (%), {readout}"] = f"{100 * row['accuracy']:.2f}"
                shown[f"95 % interval, {readout}"] = f"{low:.1f} to {high:.1f}"
                shown[f"loss, {readout}"] = f"{row['loss']:.3f}"
        if row["readout"] == FINAL_STEP:
            shown["gap to its CNN (points)"] = f"{row['gap_points']:.2f}"
            shown["agrees with its CNN (%)"] = f"{100 * row['agreement']:.1f}"
            shown["median settling time (ms)"] = f"{row['settling_ms_median']:.4g}"
    first = ["network", "τ (ms)", "seed", *(f"{what}, {FINAL_STEP}" for what in ("accuracy (%)", "95 % interval"))]
    table = pd.DataFrame(list(rows.values())).fillna("")
    return table[[*first, *(column for column in table if column not in first)]]


def page(
    records: Sequence[dict], pictures: dict[str, str], names: Sequence[str], table: pd.DataFrame, images: int
) -> str:
    """Return the page: the chart of a sample of images, and the sortable table over all of them.

    Parameters
    ----------
    records
        See `record`.
    pictures
        By the name of each image its URI, or nothing.
    names
        Of the classes.
    table
        See `configurations`.
    images
        How many images the table is of.
    """
    import vl_convert

    init, rows = pages.sortable(table)
    library = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub wants an argument that has a default
    content = {"SPEC": chart(records, names), "PICTURES": pictures}
    # a name must not end the script
    constants = "".join(
        f"const {name} = {json.dumps(value)};\n".replace("</", "<\\/") for name, value in content.items()
    )
    script = f"{constants}const RECORDS = SPEC.datasets.records;\n{SCRIPT.read_text(encoding='utf-8')}"
    body = (
        '<div id="choices"></div><div id="said"><img id="picture" alt="" hidden><p id="words" aria-live="polite"></p>'
        f'</div><div id="chart"></div><script type="module">{script}</script>'
    )
    sample = len({record["image"] for record in records})
    return pages.page(
        "Choose a network, a time constant and an image",
        [
            pages.Section(
                "",
                f"{sample} of the {images} test images; first seed of the membrane potentials. Keys: ← and → step "
                "through the images, n through the networks, t through the time constants. The address keeps what is "
                "shown.",
                body,
            ),
            pages.Section(
                "All configurations",
                f"Of all {images} images. A click on a column's head sorts by it; the field on the right searches. "
                "Intervals are of 95 %, over images.",
                init + rows,
            ),
        ],
        f"<script>{library}</script>",
    )
