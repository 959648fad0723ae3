"""How numbers read in tables, figures and sentences: time constants, shares, intervals, differences."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

CNN = "CNN"
"""The neuron of a CNN itself in tables and figures."""

NO_FILTER = "no filter"
SHARES = {"accuracy", "cnn_accuracy", "validation_accuracy", "agreement"}


def milliseconds(tau_syn_s: float | None) -> str:
    """Write a synaptic time constant in ms: "5", "2.5", or "no filter"."""
    return NO_FILTER if pd.isna(tau_syn_s) else f"{1000 * tau_syn_s:.6g}"


def tau(tau_syn_s: float | None) -> str:
    """Write a synaptic time constant with its symbol and unit: "τ = 5 ms", or "no filter"."""
    return NO_FILTER if pd.isna(tau_syn_s) else f"τ = {milliseconds(tau_syn_s)} ms"


def at_tau(tau_syn_s: float | None) -> str:
    """Write a synaptic time constant within a sentence: "at τ = 5 ms", or "without filter"."""
    return "without filter" if pd.isna(tau_syn_s) else f"at {tau(tau_syn_s)}"


def percent(share: float, low: float, high: float) -> str:
    """Write a share in [0, 1] with the bounds of its interval: "70.4 % (67.5 to 73.1)"."""
    return f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})"


def points(difference: float, low: float, high: float, *, more: str, less: str, none: str) -> str:
    """Write a difference of two shares, with the bounds of its interval, in percentage points.

    Returns
    -------
    str
        The size of the difference with `more` or `less`, by its sign; `none` with the bounds if the interval holds 0.
    """
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

    Shares (accuracy, agreement) become percent, τ becomes milliseconds, and the columns ``*_low`` and ``*_high`` become
    one column with the interval, behind the column that they belong to. Missing values are empty.
    """
    shown: dict[str, list[str]] = {}
    for name in map(str, frame):
        values = frame[name]
        if name.endswith(("_low", "_high")):
            continue
        if name == "tau_syn_s":
            is_cnn = frame.get("neuron", pd.Series("", frame.index)) == CNN
            shown["τ (ms)"] = values.map(milliseconds).mask(is_cnn, "").tolist()
        elif pd.api.types.is_float_dtype(values):
            scale, unit = (100, " (%)") if name in SHARES else (1, "")
            form = _form(name)
            shown[name + unit] = [_text(scale * value, form) for value in values]
            if f"{name}_low" in frame:
                bounds = zip(scale * frame[f"{name}_low"], scale * frame[f"{name}_high"], strict=True)
                texts = [(_text(low, form), _text(high, form)) for low, high in bounds]
                shown[f"{name}, 95 % interval"] = [f"{low} to {high}" if low else "" for low, high in texts]
        else:
            shown[name] = ["" if value is None or value is pd.NA else str(value) for value in values]
    return pd.DataFrame(shown)


def _form(name: str) -> str:
    """Return the format of a column's numbers."""
    if name == "p":
        return "p"
    if "difference" in name:
        return "+.2f"
    return ".2f" if any(word in name for word in ("accuracy", "agreement", "points", "loss")) else ".4g"


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
