"""The first lines of the report: what was asked, what came out, what it means; each word follows from the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from csnn import words
from csnn.evaluation import health, metrics, tables
from csnn.evaluation.decisions import Decided, by_network
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from csnn.evaluation.statistics import paired_difference
from csnn.synapses import LOWPASS
from csnn.words import PAPER, SAME_IMAGES, at_tau, bounded, millions, milliseconds, points, tau

QUESTION = (
    "How much of a trained CNN's accuracy do the spiking networks keep that are converted from it, and how does that "
    "depend on the type of neuron and on the synaptic time constant τ?"
)
AS_PAPER = (
    f"The experiment is that of {PAPER['author']}, `{PAPER['title']} <{PAPER['link']}>`__ ({PAPER['year']}); what the "
    "paper reports is time-averaged, and stands beside these numbers under *Comparison with the paper*."
)
NOTE = (
    "Brackets hold 95 % intervals over images; differences are paired, image by image. The best τ is that of the "
    "highest accuracy at the final step, on these same images, which flatters it a little."
)
FURTHER_CNNS = "How the same neurons do on further CNNs:"
CHOSEN = (
    "Brackets hold 95 % intervals over images. Time constants and readouts were chosen on validation images and are "
    "reported here once, on the test images."
)
HEALTHY = "The health check found nothing that explains a loss: every layer of neurons follows the CNN."


class Network(NamedTuple):
    """A network at its most accurate synaptic time constant, and over all of them.

    Attributes
    ----------
    name, neuron, cnn
    spiking
    tau_syn_s
        The synaptic time constant with the highest accuracy at the final step, in seconds; None for no filter.
    final, averaged : (images,) float
        Share of seeds (and steps) with which each image is classified correctly at it.
    cnn_right : (images,) bool
        Which images its own CNN classifies correctly.
    gap : (float, float, float)
        Accuracy of that CNN minus `final`, with the bounds of the 95 % interval.
    shortest, longest
        The synaptic time constants between which `loss` is.
    loss : (float, float, float)
        By how much the accuracy at the final step is lower at the longest than at the shortest, with the interval.
    """

    name: str
    neuron: str
    cnn: str
    spiking: bool
    tau_syn_s: float | None
    final: NDArray
    averaged: NDArray
    cnn_right: NDArray
    gap: tuple[float, float, float]
    shortest: float | None
    longest: float | None
    loss: tuple[float, float, float]


def networks(decisions: Sequence[Decided]) -> list[Network]:
    """Return every network, in the order of the configuration.

    Parameters
    ----------
    decisions
        Of every configuration, about the same images; several seeds count as one network that is right as often as
        they are on average.
    """
    groups = by_network(decisions)
    final, averaged = (
        {key: np.mean([decided.right(readout) for decided in seeds], axis=0) for key, seeds in groups.items()}
        for readout in (FINAL_STEP, TIME_AVERAGED)
    )
    summarised = []
    for name in dict.fromkeys(name for name, _ in groups):
        taus = sorted((tau_syn_s for known, tau_syn_s in groups if known == name), key=lambda tau_syn_s: tau_syn_s or 0)
        best = max(taus, key=lambda tau_syn_s: final[name, tau_syn_s].mean())
        first = groups[name, best][0]
        network = Network(
            name=name,
            neuron=first.configuration["neuron"],
            cnn=first.configuration["cnn"],
            spiking=first.configuration["spiking"],
            tau_syn_s=best,
            final=final[name, best],
            averaged=averaged[name, best],
            cnn_right=first.cnn_right,
            gap=paired_difference(first.cnn_right, final[name, best]),
            shortest=taus[0],
            longest=taus[-1],
            loss=paired_difference(final[name, taus[0]], final[name, taus[-1]]),
        )
        summarised.append(network)
    return summarised


def summary_table(summarised: Sequence[Network]) -> pd.DataFrame:
    """Return one row of text for each CNN and each network: its accuracy, gap to its CNN and loss over τ."""
    cnns = {tables.cnn_name(network.cnn): network.cnn_right.astype(float) for network in summarised}
    rows = [{"Network": name, "Final step (%)": accuracy(right)} for name, right in cnns.items()]
    spans = {(network.shortest, network.longest) for network in summarised}
    ends = [tau(end) for end in spans.pop()] if len(spans) == 1 else ["the shortest", "the longest τ"]
    loss = f"Loss from {ends[0]} to {ends[1].removeprefix('τ = ')} (points)"
    for network in summarised:
        row = {
            "Network": network.name + ("" if network.spiking else ", rate neurons"),
            "Best τ (ms)": milliseconds(network.tau_syn_s),
            "Final step (%)": accuracy(network.final),
            "Time-averaged (%)": accuracy(network.averaged),
            "Gap to its CNN (points)": _points(network.gap),
        }
        rows.append(row | ({loss: _points(network.loss)} if network.shortest != network.longest else {}))
    columns = dict.fromkeys(["Network", "Best τ (ms)"] + [column for row in rows for column in row])
    return pd.DataFrame(rows, columns=list(columns)).fillna("–")


def variants_table(summarised: Sequence[Network], made_by: Mapping[str, str]) -> pd.DataFrame:
    """Return one row of text for each network of a further CNN, behind those of the same neurons on the first.

    Parameters
    ----------
    summarised
        See `networks`.
    made_by
        Of each CNN how it was made; see `csnn.experiment.sweep.making`.
    """
    rows = pd.DataFrame(
        {
            "cnn": network.cnn,
            "neuron": network.neuron,
            "Network": network.name,
            "Best τ (ms)": milliseconds(network.tau_syn_s),
            "Final step (%)": accuracy(network.final),
            "Its CNN (%)": f"{100 * network.cnn_right.mean():.1f}",
            "Gap to its CNN (points)": _points(network.gap),
        }
        for network in summarised
    )
    rows = tables.on_further_cnns(rows)
    rows["How its CNN was made"] = rows["cnn"].map(made_by)
    return rows.drop(columns=["cnn", "neuron"])


def accuracy(shares: NDArray) -> str:
    """Write an accuracy in percent with its 95 % interval; `shares` (images,) are in [0, 1]."""
    low, high = metrics.accuracy_interval(shares)
    if low is None or high is None:  # of shares of a single image
        return f"{100 * shares.mean():.1f}"
    return bounded(100 * shares.mean(), 100 * low, 100 * high)


def _points(difference: tuple[float, float, float]) -> str:
    """Write a difference of two accuracies in percentage points with its interval."""
    return SAME_IMAGES if not any(difference) else bounded(*(100 * value for value in difference))


def loses_most(summarised: Sequence[Network]) -> Network | None:
    """Return the spiking network that is furthest below its CNN, if an interval shows that any is."""
    below = [network for network in summarised if network.spiking and network.gap[1] > 0]
    return max(below, key=lambda network: network.gap[0], default=None)


def meaning(summarised: Sequence[Network], reason: str = "") -> str:
    """Say which spiking network keeps most of its CNN's accuracy, and which loses most and why.

    Parameters
    ----------
    summarised
        See `networks`.
    reason
        Why the one that loses most does, as a sentence; see `csnn.evaluation.health.reason`.
    """
    spiking = [network for network in summarised if network.spiking]
    if not spiking:
        return "None of these networks spikes: their neurons pass on rates."
    best, worst = max(spiking, key=lambda network: network.final.mean()), loses_most(summarised)
    named = "The best spiking network" if len(spiking) > 1 else "The spiking network"
    sentences = [
        f"{named}, {best.name} {at_tau(best.tau_syn_s)}, classifies {100 * best.final.mean():.1f} % of the images "
        f"correctly at the final step; {_against_cnn(best)}."
    ]
    if worst and worst is not best:
        sentences.append(
            f"{worst.name} loses most: {at_tau(worst.tau_syn_s)}, its best, it classifies "
            f"{100 * worst.final.mean():.1f} % correctly, {_against_cnn(worst)}."
        )
    if worst and reason:
        sentences.append(f"The health check says why: {reason}")
    return " ".join(sentences)


def _against_cnn(network: Network) -> str:
    """Say how far a network is from its own CNN."""
    none = "no difference from its CNN is shown"
    return points(*network.gap, more="below its CNN", less="above its CNN", none=none)


def gap_table(gap: pd.DataFrame) -> pd.DataFrame:
    """Return one row of text for each neuron: the network, τ and readout that were best on validation images.

    Parameters
    ----------
    gap : DataFrame
        See `csnn.evaluation.comparisons.gap_table`.
    """
    rows = gap.loc[gap.groupby("neuron", sort=False)["validation_accuracy"].idxmax()].sort_index()
    percent = 100 * rows[["accuracy", "accuracy_low", "accuracy_high"]]
    return pd.DataFrame(
        {
            "Network": rows["neuron"].where(rows["spiking"].astype(bool), rows["neuron"] + ", rate neurons"),
            "Made from the CNN": rows["cnn"],
            **({"Synapse": rows["synapse"].map(words.synapse)} if "synapse" in rows else {}),
            "τ (ms)": rows["tau_syn_s"].map(milliseconds),
            "Readout": rows["readout"],
            "Accuracy (%)": [bounded(*values) for values in percent.to_numpy()],
            "Its CNN (%)": (100 * rows["cnn_accuracy"]).map("{:.1f}".format),
            "Gap to its CNN (points)": [
                _points(tuple(values / 100))
                for values in rows[["gap_points", "gap_points_low", "gap_points_high"]].to_numpy()
            ],
        }
    )


def gap_meaning(gap: pd.DataFrame) -> str:
    """Say how near to its CNN the spiking network comes that was best on validation images."""
    return " ".join(
        f"Best on validation images of the networks that spike is {_with_synapse(row)} {at_tau(row['tau_syn_s'])} "
        f"({row['readout']}), made from the CNN {row['cnn']}: on {row['images']} test images it classifies "
        f"{100 * row['accuracy']:.1f} % correctly, its CNN {100 * row['cnn_accuracy']:.1f} %; McNemar's test "
        f"says: {row['against_cnn']}."
        for _, row in gap[gap["best"]].iterrows()
    )


def _with_synapse(row: pd.Series) -> str:
    """Name the neuron of a row, and its synapses where they are not lowpasses."""
    kind = row.get("synapse", LOWPASS)
    return row["neuron"] + ("" if kind == LOWPASS else f" with synapses of the kind {words.synapse(kind)}")


def claims_meaning(claims: pd.DataFrame) -> str:
    """Count what the tests of the paper's claims have shown."""
    parts = []
    for claim, rows in claims.groupby("claim", sort=False):
        counts = rows["answer"].str.split(": ").str[-1].value_counts()
        shown = ", ".join(f"{word} in {count}" for word, count in counts.items())
        parts.append(f"{claim}: {shown} of {len(rows)} tests")
    return f"The paper's claims: {'; '.join(parts)}." if parts else ""


def costs_meaning(costs: pd.DataFrame) -> str:
    """Say between what numbers of synaptic operations a decision costs."""
    return (
        f"Over all steps, a decision takes the spiking networks {millions(costs[['macs', 'acs']].sum(axis=1))} million "
        f"effective synaptic operations, and their CNN {millions(costs['cnn_macs'])} million multiply-accumulates."
    )


def opening(
    decisions: Sequence[Decided] | None = None,
    gap: pd.DataFrame | None = None,
    claims: pd.DataFrame | None = None,
    costs: pd.DataFrame | None = None,
    findings: pd.DataFrame | None = None,
    paper: bool = False,
    made_by: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Return the report's first lines as reStructuredText.

    Parameters
    ----------
    decisions
        Of every configuration, where all are reported.
    gap, claims, costs
        Tables of the other analyses, where they are asked for.
    findings
        Of the health check, see `csnn.evaluation.health.tables`.
    paper
        Whether the paper's numbers stand beside these.
    made_by
        Of each CNN how it was made.
    """
    asked, shown, meant, reason = [QUESTION], [], [], ""
    if decisions:
        images, steps = decisions[0].leaders.shape
        asked.append(
            f"Here: {images} test images, each shown for {1000 * decisions[0].configuration['dt_s'] * steps:g} ms."
        )
        summarised = networks(decisions)
        of_variants = variants_table(summarised, made_by)
        first = [network for network in summarised if network.cnn == summarised[0].cnn]
        shown += [_rst(summary_table(first)), NOTE]
        shown += [FURTHER_CNNS, _rst(of_variants)] if len(of_variants) else []
        worst = loses_most(summarised)
        if findings is not None and worst:
            reason = health.reason(findings, worst.name)
            findings = findings[(findings["network"] != worst.name) | (findings["finding"] != reason)]
        meant.append(meaning(summarised, reason))
    if paper:
        asked.append(AS_PAPER)
    if gap is not None:
        shown += [_rst(gap_table(gap)), CHOSEN]
        meant.append(gap_meaning(gap))
    meant += [] if claims is None else [claims_meaning(claims)]
    meant += [] if costs is None else [costs_meaning(costs)]
    text = f"**What was asked.** {' '.join(asked)}\n\n"
    text += "**What came out.**" + "\n\n".join(["", *shown] if shown else [" The tables show every configuration."])
    text += f"\n\n**What it means.** {' '.join(filter(None, meant))}\n"
    if findings is not None:
        causes = "".join(f"\n- {cause}" for cause in health.summary(findings))
        if causes:
            text += f"\n{'What else' if reason else 'What'} the health check found:\n{causes}\n"
        elif not reason:
            text += f"\n{HEALTHY}\n"
    return text


def _rst(table: pd.DataFrame) -> str:
    """Return a table of text as reStructuredText."""
    return table.to_markdown(index=False, tablefmt="rst", disable_numparse=True)
