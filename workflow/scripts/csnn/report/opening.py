"""The answer of an experiment in one paragraph: every word follows from the decisions, none is written beforehand."""

from __future__ import annotations

import pandas as pd
from numpy.typing import ArrayLike, NDArray

from csnn.evaluation import tables
from csnn.evaluation.metrics import accuracy_interval
from csnn.evaluation.statistics import paired_difference
from csnn.evaluation.timecourse import TimeCourse

QUESTION = (
    "How much of a trained CNN's accuracy do the spiking networks keep that are converted from it, and how does that "
    "depend on the kind of neuron and on the synaptic time constant τ?"
)


def at(tau_syn_s: float | None) -> str:
    """Say a synaptic time constant within a sentence: "at τ = 5 ms", or "without filter"."""
    return "without filter" if pd.isna(tau_syn_s) else f"at τ = {tables.milliseconds(tau_syn_s)} ms"


def percent(shares: NDArray) -> str:
    """Say an accuracy with its 95 % interval; `shares` (images,) are in [0, 1]."""
    low, high = accuracy_interval(shares)
    return f"{100 * shares.mean():.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def compared(ours: ArrayLike, theirs: ArrayLike, more: str, less: str, none: str) -> str:
    """Say how an accuracy compares with another: `more` or `less` by some points, or `none` if the interval holds 0."""
    mean, low, high = (100 * value for value in paired_difference(ours, theirs))
    if low <= 0 <= high:
        return f"{none} ({low:+.1f} to {high:+.1f} points)".replace("-", "−")
    near, far = sorted((abs(low), abs(high)))
    return f"{abs(mean):.1f} points ({near:.1f} to {far:.1f}) {more if mean > 0 else less}"


def answer(course: TimeCourse) -> str:
    """Answer the question in sentences.

    Parameters
    ----------
    course
        Decisions of every network and of the CNN about the same images; several seeds count as one network that is
        right as often as they are on average.
    """
    cnn = (course.cnn == course.labels).astype(float)
    last = {network: course.right(*network)[:, -1] for network in course.networks}
    mean = {network: course.right(*network).mean(axis=1) for network in course.networks}
    best, best_mean = (max(reading, key=lambda network: reading[network].mean()) for reading in (last, mean))
    steps = next(iter(course.decisions.values())).shape[1]
    sentences = [
        f"The CNN classifies {percent(cnn)} of the {len(course.labels)} test images correctly.",
        (f"Of the {len(last)} spiking networks, " if len(last) > 1 else "The spiking network, ")
        + f"{best[0]} {at(best[1])}{' is right most often' if len(last) > 1 else ', is right'} at the last step, after "
        f"{1000 * course.dt_s * steps:g} ms: {percent(last[best])}; "
        + compared(
            last[best], cnn, more="above the CNN", less="below the CNN", none="no difference from the CNN is shown"
        )
        + ".",
    ]
    spans: dict[str, list[str]] = {}
    for neuron in dict.fromkeys(neuron for neuron, _ in last):
        taus = sorted((tau_syn_s for known, tau_syn_s in last if known == neuron), key=lambda tau: tau or 0)
        if len(taus) > 1:
            first, final = last[neuron, taus[0]], last[neuron, taus[-1]]
            words = compared(final, first, more="more", less="less", none="no change is shown")
            spans.setdefault(f"{at(taus[0])} and {at(taus[-1])}", []).append(
                f"{neuron} {100 * first.mean():.1f} and {100 * final.mean():.1f} %, {words}"
            )
    for span, neurons in spans.items():
        sentences.append(
            f"How robust is each neuron against τ? Accuracy at the last step, {span}: {'; '.join(neurons)}."
        )
    sentences.append(
        f"Averaged over all {steps} steps, which is what the paper reports and counts the start, when the filters are "
        f"empty, the highest accuracy is that of {best_mean[0]} {at(best_mean[1])}: {percent(mean[best_mean])}."
    )
    sentences.append(
        "In brackets: 95 % intervals over images; differences are paired, image by image. The best of several networks "
        "was chosen on the images that it is reported on, which flatters it a little."
    )
    return " ".join(sentences)


def gap_answer(gap: pd.DataFrame) -> str:
    """Say how near to its CNN the best network comes, and of each neuron the network that validation images chose.

    Parameters
    ----------
    gap : DataFrame
        See `csnn.evaluation.comparisons.gap_table`.
    """
    images = gap["images"].iloc[0]
    sentences = [
        "Time constants and readouts were chosen on validation images and are reported here once, on "
        f"{images} test images."
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
    return f"{row['variant']} with {row['neuron']} {at(row['tau_syn_s'])} ({row['readout']})"


def _gap(row: pd.Series) -> str:
    """Say a row's accuracy beside that of its CNN."""
    low, high = (100 * row[f"accuracy_{bound}"] for bound in ("low", "high"))
    return (
        f"{100 * row['accuracy']:.1f} % ({low:.1f} to {high:.1f}) against {100 * row['cnn_accuracy']:.1f} % of its "
        f"CNN, {row['against_cnn']}"
    )


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
    of_networks = costs[["macs", "acs"]].sum(axis=1)
    cnn = costs["cnn_macs"]
    return (
        f"Over all steps, a decision takes the spiking networks {_span(of_networks)} million effective synaptic "
        f"operations, and their CNN {_span(cnn)} million multiply-accumulates."
    )


def _span(numbers: pd.Series) -> str:
    """Say between which numbers these lie, in millions."""
    low, high = (f"{number / 1e6:.3g}" for number in (numbers.min(), numbers.max()))
    return low if low == high else f"{low} to {high}"


def opening(
    course: TimeCourse | None = None,
    scores: pd.DataFrame | None = None,
    gap: pd.DataFrame | None = None,
    claims: pd.DataFrame | None = None,
    costs: pd.DataFrame | None = None,
) -> str:
    """Return the report's first lines as reStructuredText: question, answer, and Table 2 where there is one.

    Parameters
    ----------
    course, scores
        Of the paper's experiment.
    gap, claims, costs
        Tables of the other analyses, as far as they are there.
    """
    answers = [
        answer(course) if course else "",
        gap_answer(gap) if gap is not None else "",
        claims_answer(claims) if claims is not None else "",
        costs_answer(costs) if costs is not None else "",
    ]
    found = " ".join(filter(None, answers)) or "The tables show every configuration."
    text = f"**Question.** {QUESTION}\n\n**Answer.** {found}\n"
    if scores is not None:
        table = tables.table2(scores).to_markdown(index=False, tablefmt="rst", disable_numparse=True)
        text += f"\n**Table 2.** {tables.caption(scores)}\n\n{table}\n"
    return text
