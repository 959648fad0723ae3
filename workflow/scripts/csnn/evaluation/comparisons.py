"""Tables that compare configurations on the same images: readouts, the gap to the CNN, and the paper's claims.

Accuracies are shares in [0, 1], differences are in percentage points; ``*_low`` and ``*_high`` bound 95 % intervals
over images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby, product

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from csnn.evaluation import metrics
from csnn.evaluation import statistics
from csnn.evaluation.decisions import Decided
from csnn.evaluation.readouts import CONFIDENCE, LAST_STEP, WINDOW
from csnn.evaluation.tables import milliseconds

SETTINGS = ["network", "variant", "neuron", "max_rate_hz", "initial_voltage", "tau_syn_s"]
TIME_AVERAGED = "average over all steps"
TOLERATED_POINTS = 0.5
"""By how much an early decision may be less accurate than the best readout to be chosen for its speed."""


def settings(decided: Decided) -> dict:
    """Return the columns that name a configuration, without its seed."""
    return {key: decided.about[key] for key in SETTINGS}


def readout_table(configurations: Iterable[Decided]) -> pd.DataFrame:
    """Accuracy, latency and agreement of every configuration under every readout, and averaged over all steps.

    Returns
    -------
    DataFrame
        Columns `SETTINGS`, ``spiking``, ``seed``, ``images``, ``readout`` (in words), ``kind``, ``window``, ``margin``,
        ``hold``, ``accuracy`` with its interval, ``cnn_accuracy``, ``gap_points`` (CNN - network) with its interval,
        ``agreement`` (share of images on which both decide alike), ``latency_ms`` (mean and ``_median``) and
        ``settling_ms_median``. The average over all steps is no decision, so it has neither latency nor agreement.
    """
    rows = []
    for decided in configurations:
        dt_ms = 1000 * decided.about["dt_s"]
        shared = settings(decided) | {
            "spiking": decided.about["spiking"],
            "seed": decided.about["seed"],
            "images": len(decided.labels),
        }
        after = {
            "cnn_accuracy": decided.cnn_right.mean(),
            "settling_ms_median": dt_ms * np.median(decided.settling_steps),
        }
        for number, readout in enumerate(decided.readouts):
            right = decided.right(number)
            rows.append(
                shared
                | {"readout": readout.name, **readout._asdict()}
                | _accuracy(right)
                | _gap(decided.cnn_right, right)
                | {
                    "agreement": (decided.classes[number] == decided.cnn_classes).mean(),
                    "latency_ms": dt_ms * decided.steps[number].mean(),
                    "latency_ms_median": dt_ms * np.median(decided.steps[number]),
                }
                | after
            )
        rows.append(
            shared
            | {"readout": TIME_AVERAGED, "kind": "time averaged"}
            | _accuracy(decided.right_share)
            | _gap(decided.cnn_right, decided.right_share)
            | after
        )
    return pd.DataFrame(rows)


def _accuracy(right: NDArray, name: str = "accuracy") -> dict[str, float]:
    """Mean with its interval over images."""
    low, high = metrics.accuracy_interval(np.asarray(right, float))
    return {name: float(np.mean(right)), f"{name}_low": low, f"{name}_high": high}


def _gap(cnn_right: NDArray, right: NDArray) -> dict[str, float]:
    """By how many points the CNN is more accurate on the same images, with the interval."""
    values = statistics.paired_difference(cnn_right, right)
    return {f"gap_points{bound}": 100 * value for bound, value in zip(("", "_low", "_high"), values, strict=True)}


def choose(validation: pd.DataFrame) -> pd.DataFrame:
    """Choose time constant and readouts of every network by its accuracy on validation images.

    A network has one time constant: that with the highest mean of its accuracy at the last step and with the best
    window (of equal ones the shortest). At it, three readouts are chosen: the last step; the most accurate window; and
    of the margins those no less accurate than the best of these minus `TOLERATED_POINTS`, and among them the one that
    decides earliest (or, if there is none, the most accurate).

    Parameters
    ----------
    validation : DataFrame
        See `readout_table`, for one seed of every network.

    Returns
    -------
    DataFrame
        `SETTINGS`, ``readout``, ``kind``, ``window``, ``margin``, ``hold``, ``validation_accuracy``, and ``best``:
        whether it is the most accurate on validation images of all networks with spiking neurons.
    """
    chosen = []
    for _, of_network in validation.groupby("network", sort=False):
        decisions = of_network[of_network["kind"] != "time averaged"]
        by_tau = {}
        for tau_syn_s, rows in decisions.groupby("tau_syn_s", dropna=False):
            steady = [rows.loc[rows["kind"] == kind, "accuracy"].max() for kind in (LAST_STEP, WINDOW)]
            by_tau[tau_syn_s] = np.nanmean(steady)
        tau_syn_s = max(by_tau, key=by_tau.get)
        rows = decisions[decisions["tau_syn_s"].isna() if pd.isna(tau_syn_s) else decisions["tau_syn_s"] == tau_syn_s]
        steady = rows[rows["kind"].isin([LAST_STEP, WINDOW])]
        early = rows[rows["kind"] == CONFIDENCE]
        chosen.append(steady[steady["kind"] == LAST_STEP].iloc[0])
        chosen += [best for _, best in steady[steady["kind"] == WINDOW].nlargest(1, "accuracy").iterrows()]
        enough = early[early["accuracy"] >= steady["accuracy"].max() - TOLERATED_POINTS / 100]
        pick = enough.nsmallest(1, "latency_ms") if len(enough) else early.nlargest(1, "accuracy")
        chosen += [best for _, best in pick.iterrows()]
    table = pd.DataFrame(chosen).rename(columns={"accuracy": "validation_accuracy"}).reset_index(drop=True)
    spiking = table["spiking"].astype(bool)
    table["best"] = False
    if spiking.any():
        table.loc[table.loc[spiking, "validation_accuracy"].idxmax(), "best"] = True
    return table[[*SETTINGS, "readout", "kind", "window", "margin", "hold", "validation_accuracy", "best"]]


def gap_table(choices: pd.DataFrame, test: Iterable[Decided]) -> pd.DataFrame:
    """The gap between the CNN and each chosen configuration on the test images.

    Parameters
    ----------
    choices : DataFrame
        See `choose`.
    test : iterable of Decided
        Of every chosen network and time constant, all seeds.

    Returns
    -------
    DataFrame
        Columns ``variant``, ``neuron``, ``max_rate_hz``, ``initial_voltage``, ``tau_syn_s``, ``readout``,
        ``cnn_accuracy``, ``accuracy`` and ``gap_points`` (CNN - network), each with its interval; ``p`` of McNemar's
        test on the first seed, adjusted for the number of rows by Holm's method, and what it shows in words; ``seeds``,
        ``seed_sd_points`` (spread of the accuracy over seeds), ``latency_ms``, ``agreement``, ``validation_accuracy``
        and ``best`` (see `choose`). Accuracies are means over seeds.
    """
    by_network: dict[str, list[Decided]] = {}
    for decided in test:
        by_network.setdefault(decided.about["network"], []).append(decided)
    rows = []
    for choice in choices.to_dict("records"):
        seeds = by_network[choice["network"]]
        first = seeds[0]
        number = [readout.name for readout in first.readouts].index(choice["readout"])
        right = np.array([decided.right(number) for decided in seeds])
        shares, spread = statistics.mean_over_seeds(right)
        rows.append(
            settings(first)
            | {"readout": choice["readout"]}
            | _accuracy(first.cnn_right, "cnn_accuracy")
            | _accuracy(shares)
            | _gap(first.cnn_right, shares)
            | {
                "p": statistics.mcnemar(right[0], first.cnn_right),
                "first_seed_difference": right[0].mean() - first.cnn_right.mean(),
                "seeds": len(seeds),
                "seed_sd_points": None if spread is None else 100 * spread,
                "images": len(first.labels),
                "latency_ms": 1000 * first.about["dt_s"] * np.mean([decided.steps[number].mean() for decided in seeds]),
                "settling_ms_median": 1000 * first.about["dt_s"] * np.median([d.settling_steps for d in seeds]),
                "agreement": np.mean([(d.classes[number] == d.cnn_classes).mean() for d in seeds]),
                "validation_accuracy": choice["validation_accuracy"],
                "best": choice["best"],
            }
        )
    table = pd.DataFrame(rows)
    table["p"] = statistics.holm(table["p"])
    table["against_cnn"] = [
        statistics.verdict(difference, p)
        for difference, p in zip(table.pop("first_seed_difference"), table["p"], strict=True)
    ]
    return table.drop(columns="network")


def claims(configurations: Sequence[Decided]) -> pd.DataFrame:
    """Test what the paper says of LIF and A-LIF neurons, under every readout and averaged over all steps.

    *Robustness*: from the shortest to the longest time constant, LIF and A-LIF lose less accuracy than RLR and SRL.
    *Adaptation*: A-LIF is more accurate than LIF at each time constant.

    Returns
    -------
    DataFrame
        Columns ``claim``, ``variant``, ``max_rate_hz``, ``initial_voltage``, ``readout``, ``comparison``,
        ``difference_points`` with its interval, ``p`` (of a paired test, adjusted by Holm's method within each claim
        and readout) and ``answer``.
    """
    rows = []

    def same_cnn(decided: Decided) -> tuple:
        return tuple(str(decided.about[key]) for key in ("variant", "max_rate_hz", "initial_voltage"))

    for _, group in groupby(sorted(configurations, key=same_cnn), key=same_cnn):
        members = list(group)
        shared = {key: members[0].about[key] for key in ("variant", "max_rate_hz", "initial_voltage")}
        names = [*(readout.name for readout in members[0].readouts), TIME_AVERAGED]
        for number, name in enumerate(names):
            right = _right_by_configuration(members, number if name != TIME_AVERAGED else None)
            rows += [shared | {"readout": name} | row for row in (*_robustness(right), *_adaptation(right))]
    columns = [
        "claim", "variant", "max_rate_hz", "initial_voltage", "readout", "comparison",
        "difference_points", "difference_points_low", "difference_points_high", "p", "answer",
    ]  # fmt: skip
    if not rows:
        return pd.DataFrame(columns=columns)
    table = pd.DataFrame(rows)
    families = ["claim", "variant", "max_rate_hz", "initial_voltage", "readout"]
    table["p"] = table.groupby(table[families].astype(str).agg("/".join, axis=1))["p"].transform(statistics.holm)
    verdicts = [statistics.verdict(d, p) for d, p in zip(table["difference_points"], table["p"], strict=True)]
    table["answer"] = [_ANSWERS[claim][verdict] for claim, verdict in zip(table["claim"], verdicts, strict=True)]
    return table[columns]


_ANSWERS = {
    "robust against tau": {
        "lower": "loses less: supported",
        "higher": "loses more: contradicted",
        "no difference shown": "no difference shown",
    },
    "A-LIF above LIF": {
        "higher": "higher: supported",
        "lower": "lower: contradicted",
        "no difference shown": "no difference shown",
    },
}


def _right_by_configuration(
    configurations: Iterable[Decided], readout: int | None
) -> dict[tuple[str, float], NDArray[np.float64]]:
    """Share of seeds (or of steps too, if `readout` is None) with which each image is right, by neuron and tau."""
    seeds: dict[tuple[str, float], list[NDArray]] = {}
    for decided in configurations:
        if decided.about["tau_syn_s"] is not None:
            right = decided.right_share if readout is None else decided.right(readout)
            seeds.setdefault((decided.about["neuron"], decided.about["tau_syn_s"]), []).append(right)
    return {key: np.mean(values, axis=0) for key, values in seeds.items()}


def _robustness(right: Mapping[tuple[str, float], NDArray]) -> Iterable[dict]:
    """Compare what neurons lose from the shortest to the longest time constant."""
    taus = sorted({tau for _, tau in right})
    losses = {
        neuron: right[neuron, taus[0]] - right[neuron, taus[-1]]
        for neuron in dict.fromkeys(neuron for neuron, _ in right)
        if len(taus) > 1 and all((neuron, tau) in right for tau in (taus[0], taus[-1]))
    }
    for robust, other in product(("LIF", "A-LIF"), ("RLR", "SRL")):
        if robust in losses and other in losses:
            span = f"{milliseconds(taus[0])} to {milliseconds(taus[-1])} ms"
            yield {
                "claim": "robust against tau",
                "comparison": f"loss of {robust} - loss of {other}, tau {span}",
            } | _difference(losses[robust], losses[other])


def _adaptation(right: Mapping[tuple[str, float], NDArray]) -> Iterable[dict]:
    """Compare A-LIF with LIF at each time constant that both have."""
    for tau in sorted({tau for _, tau in right}):
        if ("LIF", tau) in right and ("A-LIF", tau) in right:
            yield {
                "claim": "A-LIF above LIF",
                "comparison": f"A-LIF - LIF, tau {milliseconds(tau)} ms",
            } | _difference(right["A-LIF", tau], right["LIF", tau])


def _difference(ours: NDArray, theirs: NDArray) -> dict[str, float]:
    """Difference in points with its interval, and p."""
    values = statistics.paired_difference(ours, theirs)
    named = zip(("", "_low", "_high"), values, strict=True)
    return {f"difference_points{bound}": 100 * value for bound, value in named} | {
        "p": statistics.paired_p(ours, theirs)
    }


def to_markdown(table: pd.DataFrame, note: str) -> str:
    """A table as Markdown under a note that says how it is to be read."""
    text = table.astype(object)
    for column in table:
        values = table[column]
        if column == "tau_syn_s":
            text[column] = [f"{milliseconds(value)} ms" for value in values]
        elif column in ("p", "p_value"):
            text[column] = ["< 0.001" if value < 0.001 else f"{value:.3f}" for value in values]
        elif pd.api.types.is_float_dtype(values):
            digits, scale, unit = (2, 100, " %") if "accuracy" in column or column == "agreement" else (2, 1, "")
            text[column] = ["–" if pd.isna(value) else f"{scale * value:.{digits}f}{unit}" for value in values]
    return f"{note}\n\n{text.to_markdown(index=False, disable_numparse=True)}\n"


def with_intervals(table: pd.DataFrame) -> pd.DataFrame:
    """Put the bounds of intervals into the columns that they belong to, as text: for a table that people read."""
    read = table.copy()
    for low in [column for column in table if column.endswith("_low")]:
        name = low.removesuffix("_low")
        scale = 100 if "accuracy" in name else 1
        values = zip(table[name], table[low], table[f"{name}_high"], strict=True)
        read[name] = [f"{scale * value:.2f} [{scale * a:.2f}, {scale * b:.2f}]" for value, a, b in values]
        read = read.drop(columns=[low, f"{name}_high"])
    return read
