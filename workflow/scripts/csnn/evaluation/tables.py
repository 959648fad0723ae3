"""Tables of an experiment: all scores, the paper's layout, and the paper's numbers beside ours.

A tau_syn of None, an empty cell in a file, means no synaptic filter. The CNN has neither tau nor seed.
"""

from collections.abc import Iterable, Mapping

import pandas as pd

CNN = "CNN"
CONFIGURATION = ["neuron", "tau_syn_s", "seed"]
READINGS = ["accuracy_time_averaged", "loss_time_averaged", "accuracy_last_step", "loss_last_step"]
INTERVALS = [f"{reading}_{bound}" for reading in READINGS for bound in ("low", "high")]
NO_FILTER = "no filter"


def milliseconds(tau_syn_s: float | None) -> str:
    """A synaptic time constant in words: "5", "2.5", or "no filter"."""
    return NO_FILTER if pd.isna(tau_syn_s) else f"{1000 * tau_syn_s:.6g}"


def scores(configurations: Iterable[Mapping] | pd.DataFrame) -> pd.DataFrame:
    """Tidy scores, one row per neuron, tau and seed, and one for the CNN.

    Parameters
    ----------
    configurations : DataFrame or iterable of mappings
        `metrics.score` of each configuration with its ``neuron``, ``tau_syn_s`` (s, None without a filter) and
        ``seed``; the CNN's with the neuron "CNN". A frame read from the file that this table was written to gives the
        same frame.

    Returns
    -------
    DataFrame
        The CNN first, then the neurons in the order in which they come, each by rising tau (no filter first) and
        seed. Columns: neuron, tau_syn_s, seed, images, both readings of accuracy and loss, then the bounds of their
        95 % intervals.

    Raises
    ------
    ValueError
        If a value is missing, or a configuration comes twice.
    """
    frame = pd.DataFrame(configurations)
    for column in ("tau_syn_s", "seed"):
        if column not in frame:
            frame[column] = None
    needed = ["neuron", "images", *READINGS]
    missing = [column for column in needed if column not in frame or frame[column].isna().any()]
    if missing:
        raise ValueError(f"The scores lack {', '.join(missing)}.")
    is_cnn = frame["neuron"] == CNN
    frame["tau_syn_s"] = frame["tau_syn_s"].astype(float).mask(is_cnn)
    frame["seed"] = frame["seed"].astype("Int64").mask(is_cnn)
    repeated = frame[frame.duplicated(CONFIGURATION)]
    if len(repeated):
        neuron, tau_syn_s, seed = repeated.iloc[0][CONFIGURATION]
        raise ValueError(f"The scores of {neuron}, tau {milliseconds(tau_syn_s)} ms, seed {seed} come twice.")
    order = [CNN, *frame.loc[~is_cnn, "neuron"].unique()]
    return (
        frame.assign(rank=frame["neuron"].map(order.index))
        .sort_values(["rank", "tau_syn_s", "seed"], na_position="first")
        .reindex(columns=[*CONFIGURATION, "images", *READINGS, *INTERVALS])
        .astype(dict.fromkeys([*READINGS, *INTERVALS], float))
        .reset_index(drop=True)
    )


def over_seeds(scores: pd.DataFrame) -> pd.DataFrame:
    """Mean and standard deviation over seeds, one row per neuron and tau, in the order of `scores`.

    Returns
    -------
    DataFrame
        Columns neuron, tau_syn_s, and of each reading and each bound the mean; of each reading also ``*_sd``, the
        sample standard deviation, not a number for one seed. All seeds see the same images, so averaging over them does
        not narrow an interval over images: its bounds are averaged.
    """
    groups = scores.groupby(["neuron", "tau_syn_s"], dropna=False, sort=False)
    means = groups[[*READINGS, *INTERVALS]].mean()
    return means.join(groups[READINGS].std().add_suffix("_sd")).reset_index()


def table2(scores: pd.DataFrame) -> pd.DataFrame:
    """The paper's Table 2: tau (ms) down, models across, accuracy (%) and cross-entropy loss.

    Both are averages over all time steps, as in the paper.

    Returns
    -------
    DataFrame of str
        First column the tau; then two columns per model. The first line is the CNN's, which has no tau. Two decimals;
        with several seeds, the mean ± the standard deviation over seeds.
    """
    means = over_seeds(scores)

    def cell(row: pd.Series, reading: str, scale: float) -> str:
        spread = row[f"{reading}_sd"]
        return f"{scale * row[reading]:.2f}" + ("" if pd.isna(spread) else f" ± {scale * spread:.2f}")

    # The CNN comes first in the scores, and so its line does among those without a number for tau.
    lines: dict[str, dict[str, str]] = {}
    for _, row in means.sort_values("tau_syn_s", na_position="first", kind="stable").iterrows():
        tau = "–" if row["neuron"] == CNN else milliseconds(row["tau_syn_s"])
        lines.setdefault(tau, {}).update(
            {
                f"{row['neuron']} accuracy (%)": cell(row, "accuracy_time_averaged", 100),
                f"{row['neuron']} loss": cell(row, "loss_time_averaged", 1),
            }
        )
    columns = [f"{neuron} {reading}" for neuron in means["neuron"].unique() for reading in ("accuracy (%)", "loss")]
    table = pd.DataFrame.from_dict(lines, orient="index", columns=columns).fillna("")
    return table.rename_axis("tau (ms)").reset_index()


def table1(scores: pd.DataFrame, neuron: str = "RLR") -> pd.DataFrame:
    """The paper's Table 1, the first columns of its Table 2: the CNN and `neuron`, or the first one in its absence."""
    neurons = [name for name in scores["neuron"].unique() if name != CNN]
    chosen = neuron if neuron in neurons else next(iter(neurons), None)
    return table2(scores[scores["neuron"].isin([CNN, chosen])])


def comparison(scores: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """The published numbers beside ours, for each neuron and tau that both have.

    Parameters
    ----------
    scores : DataFrame
        See `scores`; several seeds are averaged.
    published : DataFrame
        Columns neuron, tau_syn_s, accuracy in [0, 1], loss and source. ``resources/published_table2.csv`` holds Table
        2 of Chouinard, "CSNN - An Exploration of Convolutional-Spiking Neural Networks".

    Returns
    -------
    DataFrame
        Columns neuron, tau_syn_ms, then published, ours and the difference, ours - published, of the accuracy in
        percent (the difference in percentage points) and of the loss; the source of the published numbers. All are
        averages over all time steps.
    """
    both = over_seeds(scores).merge(published, on=["neuron", "tau_syn_s"])
    return pd.DataFrame(
        {
            "neuron": both["neuron"],
            "tau_syn_ms": 1000 * both["tau_syn_s"],
            "accuracy_published_percent": 100 * both["accuracy"],
            "accuracy_ours_percent": 100 * both["accuracy_time_averaged"],
            "accuracy_difference_points": 100 * (both["accuracy_time_averaged"] - both["accuracy"]),
            "loss_published": both["loss"],
            "loss_ours": both["loss_time_averaged"],
            "loss_difference": both["loss_time_averaged"] - both["loss"],
            "source": both["source"],
        }
    )


def caption(scores: pd.DataFrame) -> str:
    """One line for above a table: what its numbers are, of how many images and which seeds."""
    images = " or ".join(str(count) for count in scores["images"].unique())
    seeds = sorted(scores["seed"].dropna().unique())
    of_seeds = "mean ± standard deviation over the seeds" if len(seeds) > 1 else "seed"
    return (
        "Averages over all time steps, which is what the paper's numbers are (not the values at the last step); "
        f"{images} test images; {of_seeds} {', '.join(map(str, seeds))} of the initial membrane potentials."
    )


def to_markdown(table: pd.DataFrame, scores: pd.DataFrame) -> str:
    """A table of `table1`, `table2` or `comparison` as Markdown, under the caption of the `scores` it was made from."""
    text = table.astype(object)
    for column in table.select_dtypes("number"):
        form = ".6g" if column.startswith("tau") else "+.2f" if "difference" in column else ".2f"
        text[column] = ["–" if pd.isna(value) else format(value, form) for value in table[column]]
    # As text, with the digits that they have: tabulate would otherwise read numbers into it and drop final zeros.
    sides = ["left" if column in ("neuron", "source") else "right" for column in text]
    markdown = text.to_markdown(index=False, disable_numparse=True, colalign=sides)
    differences = " Differences are ours minus the paper's." if "loss_difference" in table else ""
    return f"{caption(scores)}{differences}\n\n{markdown}\n"
