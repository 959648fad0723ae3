"""How numbers read in tables, figures and sentences: time constants, shares, intervals, differences."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from csnn.synapses import parse

CNN = "CNN"
"""The neuron of a CNN itself in tables and figures."""

PAPER = {
    "author": "Jakeb Chouinard",
    "year": "2024",
    "title": "CSNN: An Exploration of Convolutional-Spiking Neural Networks with Varying Neuron and Synapse Parameters",
    "link": "https://github.com/borealis31/SYDE552/blob/main/Project/j2chouin_Project_Paper.pdf",
}
"""The paper whose experiment is the default."""

MOST_CURVES = 12
"""Time constants, or CNNs and conversions, beyond which figures show colours instead of curves, and captions say so."""

NO_FILTER = "no filter"
SAME_IMAGES = "none: right on the same images"


def milliseconds(tau_syn_s: float | None) -> str:
    """Write a synaptic time constant in ms: "5", "2.5", or "no filter"."""
    return NO_FILTER if pd.isna(tau_syn_s) else f"{1000 * tau_syn_s:.6g}"


def tau(tau_syn_s: float | None) -> str:
    """Write a synaptic time constant with its symbol and unit: "τ = 5 ms", or "no filter"."""
    return NO_FILTER if pd.isna(tau_syn_s) else f"τ = {milliseconds(tau_syn_s)} ms"


def at_tau(tau_syn_s: float | None) -> str:
    """Write a synaptic time constant within a sentence: "at τ = 5 ms", or "without filter"."""
    return "without filter" if pd.isna(tau_syn_s) else f"at {tau(tau_syn_s)}"


def synapse(text: str) -> str:
    """Write a kind of synapse, as tables hold it, in words: "lowpass", "alpha", "double exponential, rise 1 ms"."""
    kind = parse(text)
    return kind if isinstance(kind, str) else f"double exponential, rise {milliseconds(kind['rise_s'])} ms"


def bounded(value: float, low: float, high: float) -> str:
    """Write a number with the bounds of its interval: "70.4 (67.5 to 73.1)"."""
    shown, lowest, highest = (f"{round(number, 1) + 0:.1f}" for number in (value, low, high))  # no "-0.0"
    return f"{shown} ({lowest} to {highest})".replace("-", "−")


def points(difference: float, low: float, high: float, *, more: str, less: str, none: str) -> str:
    """Write a difference of two shares, with the bounds of its interval, in percentage points.

    Returns
    -------
    str
        The size of the difference with `more` or `less`, by its sign; `none` with the bounds if the interval holds 0,
        and without them where the two are right on the very same images.
    """
    if difference == low == high == 0:
        return f"{none}: right on the same images"
    difference, low, high = 100 * difference, 100 * low, 100 * high
    if low <= 0 <= high:
        return f"{none} ({low:+.1f} to {high:+.1f} points)".replace("-", "−")
    near, far = sorted((abs(low), abs(high)))
    return f"{abs(difference):.1f} points ({near:.1f} to {far:.1f}) {more if difference > 0 else less}"


def millions(numbers: Iterable[float]) -> str:
    """Write between which numbers these lie, in millions: "0.8" or "0.8 to 3.1"."""
    numbers = list(numbers)
    low, high = (f"{number / 1e6:.3g}" for number in (min(numbers), max(numbers)))
    return low if low == high else f"{low} to {high}"


def readable(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a tidy table as text for people to read.

    Columns are named in words with their units, shares become percent, τ becomes milliseconds, and ``*_low`` and
    ``*_high`` become one column with the interval, behind the column that they belong to. Missing values are empty.
    """
    shown: dict[str, list[str]] = {}
    for name in map(str, frame):
        values = frame[name]
        if name.endswith(("_low", "_high")):
            continue
        if name == "tau_syn_s":
            is_cnn = frame.get("neuron", pd.Series("", frame.index)) == CNN
            shown["τ (ms)"] = values.map(milliseconds).mask(is_cnn, "").tolist()
        elif name == "synapse":
            shown[name] = ["" if pd.isna(value) else synapse(value) for value in values]
        elif pd.api.types.is_float_dtype(values):
            scale, form = 100 if name in PERCENT else 1, _form(name)
            shown[column(name)] = [_text(scale * value, form) for value in values]
            if f"{name}_low" in frame:
                bounds = zip(scale * frame[f"{name}_low"], scale * frame[f"{name}_high"], strict=True)
                texts = [(_text(low, form), _text(high, form)) for low, high in bounds]
                shown[f"{column(name).partition(' (')[0]}, 95 % interval"] = [
                    f"{low} to {high}" if low else "" for low, high in texts
                ]
        else:
            shown[column(name)] = [str(value) for value in values.astype(object).where(values.notna(), "")]
    return pd.DataFrame(shown)


PERCENT = {
    "accuracy": "accuracy (%)",
    "cnn_accuracy": "accuracy of its CNN (%)",
    "validation_accuracy": "validation accuracy (%)",
    "agreement": "agrees with its CNN (%)",
    "confidence": "confidence (%)",
    "ece": "ECE (%)",
    "covered": "covered (%)",
    "coverage": "coverage wanted (%)",
    "single_share": "a single class (%)",
    "silent_share": "silent (%)",
    "never_active_share": "never active (%)",
    "saturated_share": "saturated (%)",
}
"""Names in words of the columns that hold shares, which are shown in percent."""

COLUMNS = {
    "cnn": "CNN",
    "brier": "Brier score",
    "max_rate_hz": "maximal rate (Hz)",
    "loss": "loss (nats)",
    "gap_points": "gap to its CNN (points)",
    "difference_points": "difference (points)",
    "latency_ms": "decides after (ms, mean)",
    **{f"latency_{unit}_p{p}": f"{p} % have ended after ({unit})" for unit in ("steps", "ms") for p in (50, 90, 99)},
    "lost_points": "lost against clean (points)",
    "lost_more_points": "lost more than its CNN (points)",
    "p_lost_more": "p of that",
    "latency_ms_median": "decides after (ms, median)",
    "settling_ms_median": "settles after (ms, median)",
    "seed_sd_points": "standard deviation over seeds (points)",
    "against_cnn": "against its CNN",
    "active_rate_hz_p50": "median rate of active neurons (Hz)",
    "active_rate_hz_p99": "99th percentile of their rates (Hz)",
    "saturated_above_hz": "saturated above (Hz)",
    "rate_correlation": "correlation with the CNN's activations",
    "accuracy_published_percent": "accuracy, published (%)",
    "accuracy_ours_percent": "accuracy, here (%)",
    "accuracy_difference_points": "accuracy, difference (points)",
    "loss_published": "loss, published (nats)",
    "loss_ours": "loss, here (nats)",
    "loss_difference": "loss, difference (nats)",
    "macs": "MACs",
    "acs": "ACs",
    "cnn_macs": "MACs of its CNN",
    "ConnectionSparsity": "Connection Sparsity",
    "ParameterCount": "Parameter Count",
    "ActivationSparsity": "Activation Sparsity",
    "MembraneUpdates": "Membrane Updates",
    "event_macs": "MACs, by events",
    "event_acs": "ACs, by events",
    "event_neuron_updates": "neuron updates, by events",
    "energy_estimate_j": "estimate of energy (J)",
    "cnn_energy_estimate_j": "estimate of its CNN's energy (J)",
    "operations_j": "arithmetic (J)",
    "addressing_j": "addressing (J)",
    "weights_j": "weights (J)",
    "states_j": "states (J)",
    "inputs_outputs_j": "inputs and outputs (J)",
    "total_j": "total (J)",
    "bits": "bits of equal activations",
    "word_bits": "bits of integers",
    "arithmetic_rate": "break-even by arithmetic",
    "arithmetic_energy_ratio": "energy by arithmetic, of its CNN's",
    "memory_rate": "break-even with memory",
    "memory_energy_ratio": "energy with memory, of its CNN's",
    "tau_syn_ms": "τ (ms)",
    "value_bits": "bits of weights and values",
    "arithmetic_energy_uj": "energy of arithmetic (µJ)",
    "memory_energy_uj": "energy with memory (µJ)",
    "close_ms": "within 1 point of that after (ms)",
}
"""Names in words of other columns."""


def column(name: str) -> str:
    """Return a column's name in words, with its unit."""
    return (PERCENT | COLUMNS).get(name, name.replace("_", " "))


def _form(name: str) -> str:
    """Return the format of a column's numbers."""
    if name in ("p", "p_lost_more"):
        return "p"
    if "difference" in name:
        return "+.2f"
    if name == "brier":
        return ".3f"
    if name.endswith("_share"):
        return ".1f"
    if name.startswith(("active_rate", "saturated_above")):
        return ".0f"
    words = ("accuracy", "agreement", "points", "loss", "correlation", "confidence", "ece", "covered", "set_size")
    return ".2f" if any(word in name for word in words) else ".4g"


def _text(value: float, form: str) -> str:
    """Write a number in a format, or nothing for a missing one."""
    if pd.isna(value):
        return ""
    if form == "p":
        return "< 0.001" if value < 0.001 else f"{value:.3f}"
    return format(value, form)


def to_markdown(frame: pd.DataFrame, note: str) -> str:
    """Return a table of text as Markdown, under a note that says how to read it."""
    # as text, with the digits that they have: tabulate would otherwise read numbers into it and drop final zeros
    return f"{note}\n\n{frame.to_markdown(index=False, disable_numparse=True)}\n"
