"""The first lines of the report: every word follows from the results, none is written beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from csnn.evaluation import metrics, tables
from csnn.evaluation.decisions import Decided, by_network
from csnn.evaluation.metrics import FINAL_STEP, TIME_AVERAGED
from csnn.evaluation.statistics import paired_difference
from csnn.words import at_tau, millions, percent, points

QUESTION = (
    "How much of a trained CNN's accuracy do the spiking networks keep that are converted from it, and how does that "
    "depend on the kind of neuron and on the synaptic time constant τ?"
)

Shares = Mapping[tuple[str, float | None], NDArray[np.float64]]
"""By network and τ (s): share of seeds (and steps) with which each image is classified correctly, shape (images,)."""


def accuracy(shares: NDArray) -> str:
    """Write an accuracy with its 95 % interval; `shares` (images,) are in [0, 1]."""
    return percent(shares.mean(), *metrics.accuracy_interval(shares))


def answer(decisions: Sequence[Decided]) -> str:
    """Answer the question in sentences.

    Parameters
    ----------
    decisions
        Of every configuration, about the same images; several seeds count as one network that is right as often as
        they are on average.
    """
    networks = by_network(decisions)
    final, averaged = (
        {key: np.mean([decided.right(readout) for decided in seeds], axis=0) for key, seeds in networks.items()}
        for readout in (FINAL_STEP, TIME_AVERAGED)
    )
    first = decisions[0]
    steps = first.leaders.shape[1]
    sentences = [_cnns(decisions)]
    rates = {key for key, seeds in networks.items() if not seeds[0].configuration["spiking"]}
    spiking = [key for key in networks if key not in rates]
    if spiking:
        best = _best(final, spiking)
        named = f"{best[0]} {at_tau(best[1])}"
        sentences.append(
            (
                f"Of the {len(spiking)} spiking networks, {named} is right most often"
                if len(spiking) > 1
                else f"The spiking network, {named}, is right"
            )
            + f" at the final step, after {1000 * first.configuration['dt_s'] * steps:g} ms: {accuracy(final[best])}; "
            + _against_cnn(final[best], networks[best][0])
            + "."
        )
    if rates:
        best = _best(final, rates)
        sentences.append(
            f"With rate neurons, which do not spike, {best[0]} {at_tau(best[1])} reaches {accuracy(final[best])}; "
            f"{_against_cnn(final[best], networks[best][0])}."
        )
    sentences += _robustness(final)
    best = _best(averaged, spiking or rates)
    sentences.append(
        f"Averaged over all {steps} steps, which is what the paper reports and counts the start, when the filters are "
        f"empty, the highest accuracy is that of {best[0]} {at_tau(best[1])}: {accuracy(averaged[best])}."
    )
    sentences.append(
        "In brackets: 95 % intervals over images; differences are paired, image by image. The best of several networks "
        "was chosen on the images that it is reported on, which flatters it a little."
    )
    return " ".join(sentences)


def _best(shares: Shares, networks: Iterable[tuple[str, float | None]]) -> tuple[str, float | None]:
    """Return the network of the highest accuracy; of equal ones the first."""
    return max(networks, key=lambda network: shares[network].mean())


def _against_cnn(shares: NDArray, decided: Decided) -> str:
    """Say how far a network is from its own CNN."""
    difference = paired_difference(shares, decided.cnn_right)
    none = "no difference from its CNN is shown"
    return points(*difference, more="above its CNN", less="below its CNN", none=none)


def _cnns(decisions: Sequence[Decided]) -> str:
    """Say how accurate the CNN is, or each of several."""
    cnns = {decided.configuration["cnn"]: accuracy(decided.cnn_right.astype(float)) for decided in decisions}
    images = len(decisions[0].labels)
    if len(cnns) == 1:
        return f"The CNN classifies {next(iter(cnns.values()))} of the {images} test images correctly."
    each = ", ".join(f"{tables.cnn_name(cnn)} {right}" for cnn, right in cnns.items())
    return f"Of the {images} test images, the CNNs classify correctly: {each}."


def _robustness(final: Shares) -> list[str]:
    """Compare each network's final-step accuracy at its shortest and at its longest synaptic time constant."""
    spans: dict[str, list[str]] = {}
    for network in dict.fromkeys(network for network, _ in final):
        taus = sorted(
            (tau_syn_s for known, tau_syn_s in final if known == network), key=lambda tau_syn_s: tau_syn_s or 0
        )
        if len(taus) > 1:
            short, long = final[network, taus[0]], final[network, taus[-1]]
            change = points(*paired_difference(long, short), more="more", less="less", none="no change is shown")
            spans.setdefault(f"{at_tau(taus[0])} and {at_tau(taus[-1])}", []).append(
                f"{network} {100 * short.mean():.1f} and {100 * long.mean():.1f} %, {change}"
            )
    return [
        f"How robust is each neuron against τ? Accuracy at the final step, {span}: {'; '.join(networks)}."
        for span, networks in spans.items()
    ]


def gap_answer(gap: pd.DataFrame) -> str:
    """Say how near to its CNN the best network comes, and of each neuron the network that validation images chose.

    Parameters
    ----------
    gap : DataFrame
        See `csnn.evaluation.comparisons.gap_table`.
    """
    sentences = [
        "Time constants and readouts were chosen on validation images and are reported here once, on "
        f"{gap['images'].iloc[0]} test images."
    ]
    for _, row in gap[gap["best"]].iterrows():
        sentences.append(f"Best on validation images is {_network(row)}: {_gap(row)}.")
    by_neuron = gap.loc[gap.groupby("neuron", sort=False)["validation_accuracy"].idxmax()].sort_index()
    others = [f"{_network(row)}, {_gap(row)}" for _, row in by_neuron.iterrows()]
    sentences.append(f"Of each neuron, the network that did best on validation images: {'; '.join(others)}.")
    sentences.append(
        "In brackets: 95 % intervals over images; what is said of a difference follows from McNemar's test, adjusted "
        "for the number of tests."
    )
    return " ".join(sentences)


def _network(row: pd.Series) -> str:
    """Name a row's network, time constant and readout."""
    return f"{row['cnn']} with {row['neuron']} {at_tau(row['tau_syn_s'])} ({row['readout']})"


def _gap(row: pd.Series) -> str:
    """Say a row's accuracy beside that of its CNN."""
    right = percent(row["accuracy"], row["accuracy_low"], row["accuracy_high"])
    return f"{right} against {100 * row['cnn_accuracy']:.1f} % of its CNN, {row['against_cnn']}"


def claims_answer(claims: pd.DataFrame) -> str:
    """Count what the tests of the paper's claims have shown."""
    parts = []
    for claim, rows in claims.groupby("claim", sort=False):
        counts = rows["answer"].str.split(": ").str[-1].value_counts()
        shown = ", ".join(f"{word} in {count}" for word, count in counts.items())
        parts.append(f"{claim}: {shown} of {len(rows)} tests")
    return f"The paper's claims. {'; '.join(parts)}." if parts else ""


def costs_answer(costs: pd.DataFrame) -> str:
    """Say between what numbers of synaptic operations a decision costs."""
    return (
        f"Over all steps, a decision takes the spiking networks {millions(costs[['macs', 'acs']].sum(axis=1))} million "
        f"effective synaptic operations, and their CNN {millions(costs['cnn_macs'])} million multiply-accumulates."
    )


def opening(
    decisions: Sequence[Decided] | None = None,
    scores: pd.DataFrame | None = None,
    gap: pd.DataFrame | None = None,
    claims: pd.DataFrame | None = None,
    costs: pd.DataFrame | None = None,
) -> str:
    """Return the report's first lines as reStructuredText: question, answer, and Table 2 where there is one.

    Parameters
    ----------
    decisions, scores
        Of every configuration, where all are reported.
    gap, claims, costs
        Tables of the other analyses, where they are asked for.
    """
    answers = [
        answer(decisions) if decisions else "",
        gap_answer(gap) if gap is not None else "",
        claims_answer(claims) if claims is not None else "",
        costs_answer(costs) if costs is not None else "",
    ]
    text = f"**Question.** {QUESTION}\n\n"
    text += f"**Answer.** {' '.join(filter(None, answers)) or 'The tables show every configuration.'}\n"
    if scores is not None:
        table = tables.table2(scores).to_markdown(index=False, tablefmt="rst", disable_numparse=True)
        text += f"\n**Table 2.** {tables.caption(scores)}\n\n{table}\n"
    return text
