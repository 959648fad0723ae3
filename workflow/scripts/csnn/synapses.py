"""Kinds of synapse: what filters every connection that leaves neurons.

Each kind is one lowpass, or two in a row, and passes a constant signal unchanged. The time constant that the sweep
varies, ``tau_syn_s``, is that of the decay:

- ``lowpass``: ``exp(-t / tau) / tau``, Nengo's `Lowpass`;
- ``alpha``: two lowpasses of the same time constant, ``t exp(-t / tau) / tau²``, Nengo's `Alpha`;
- ``{rise_s: ...}``: a double exponential, a lowpass of the rise before that of the decay,
  ``(exp(-t / tau) - exp(-t / rise)) / (tau - rise)``, Nengo's `LinearFilter`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeAlias

Synapse: TypeAlias = str | Mapping[str, float]
"""A kind of synapse as the configuration writes it: `LOWPASS`, `ALPHA` or ``{"rise_s": time in seconds}``."""

LOWPASS = "lowpass"
ALPHA = "alpha"
ALLOWED = "lowpass, alpha or {rise_s: ...}"


def rise_s(synapse: Synapse, tau_syn_s: float) -> float | None:
    """Return the time constant of the lowpass before that of the decay, in seconds; None for a lowpass alone."""
    if isinstance(synapse, Mapping):
        return synapse["rise_s"]
    return tau_syn_s if synapse == ALPHA else None


def check(synapse: Synapse, tau_syn_s: float | None) -> None:
    """Check a kind of synapse and its time constant, None for no filter.

    Raises
    ------
    ValueError
        In one sentence that says what would be right.
    """
    if tau_syn_s is not None and not (math.isfinite(tau_syn_s) and tau_syn_s >= 0):
        raise ValueError(f"tau_syn_s is {tau_syn_s!r}; it must be a finite time in seconds of at least 0, or None")
    if isinstance(synapse, Mapping) and set(synapse) == {"rise_s"}:
        rise = synapse["rise_s"]
        if not (isinstance(rise, float | int) and math.isfinite(rise) and rise > 0):
            raise ValueError(f"rise_s of the synapse is {rise!r}; it must be a finite time in seconds above 0")
    elif synapse not in (LOWPASS, ALPHA):
        raise ValueError(f"synapse is {synapse!r}; it must be {ALLOWED}")


def mean_delay_s(synapse: Synapse, tau_syn_s: float | None) -> float:
    """Return by how much a synapse delays a signal: the mean of its impulse response, in seconds."""
    return 0.0 if tau_syn_s is None else tau_syn_s + (rise_s(synapse, tau_syn_s) or 0.0)


def text(synapse: Synapse) -> str:
    """Write a kind of synapse as paths and tables do: ``lowpass``, ``alpha``, ``rise-0.001`` (in seconds)."""
    return f"rise-{float(synapse['rise_s'])}" if isinstance(synapse, Mapping) else synapse


def parse(text: str) -> Synapse:
    """Read a kind of synapse as `text` writes it."""
    return {"rise_s": float(text.removeprefix("rise-"))} if text.startswith("rise-") else text
