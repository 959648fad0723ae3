"""Sentences for mistakes in a configuration: the key, its value, and what is allowed."""

from __future__ import annotations

import datetime
import difflib
import functools
import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from csnn.experiment import schema


def sentence(error: ValidationError, raw: Mapping) -> str:
    """Say what is wrong with a configuration in one sentence: the key, its value and what is allowed.

    Of several mistakes, the first is named; where a value may be of several types, the type that fits best counts.

    Parameters
    ----------
    error
        What pydantic found.
    raw
        The configuration.
    """
    mistakes = [(_path(mistake["loc"], raw), mistake) for mistake in error.errors(include_url=False)]
    first, _ = mistakes[0]
    path, mistake = max((m for m in mistakes if m[0][: len(first)] == first), key=lambda m: len(m[0]))
    kind, value = mistake["type"], mistake["input"]
    if kind == "extra_forbidden" or mistake["loc"][-1] == "[key]":
        *path, name = path
    part = functools.reduce(schema.below, path, schema.json_schema())
    key, known = (
        _dotted(path),
        [key for alternative in schema.alternatives(part) for key in alternative.get("properties", {})],
    )
    if kind == "extra_forbidden":
        guess = difflib.get_close_matches(name, known, 1)
        hint = f" (did you mean {guess[0]}?)" if guess else ""
        takes = f"{key or 'the configuration'} takes {', '.join(known)}"
        return f"config key {_dotted([*path, name])} is unknown{hint}; {takes}"
    if kind == "missing":
        return f"config key {key}.{mistake['loc'][-1]} is missing; {key} takes {', '.join(known)}"
    if mistake["loc"][-1] == "[key]":
        return f"config key {key} has the key {shown(name)}; it must be {schema.words(part['propertyNames'])}"
    allowed = schema.words(part)
    if kind == "finite_number" or (isinstance(value, float) and math.isnan(value)):
        allowed = "a finite number"
    elif part.get("type") == "string" and "enum" not in part and isinstance(value, int | float | datetime.date):
        allowed += ", in quotes where YAML would read something else"
    return f"config key {key or '(top level)'} is {shown(value)}; it must be {allowed}"


def _path(location: Iterable[str | int], raw: Any) -> list[str | int]:
    """Return the keys and indices of a mistake's location, without the alternatives that pydantic tried."""
    path = []
    for part in location:
        inside = part in raw if isinstance(raw, Mapping) else isinstance(raw, list) and isinstance(part, int)
        if inside:
            path.append(part)
            raw = raw[part]
    return path


def one_line(text: str) -> str:
    """Escape non-printable characters such as line breaks, which keys may hold."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def _dotted(path: Any) -> str:
    """Write a path in the configuration as one does by hand: ``snn.tau_syn_s[1]``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def shown(value: Any) -> str:
    """Write a value as YAML does where that is shorter than Python, and cut it if it is long."""
    text = {None: "null", True: "true", False: "false"}.get(value) if isinstance(value, bool | None) else None
    return shortened(text or (str(value) if isinstance(value, datetime.date) else repr(value)))


def shortened(text: str) -> str:
    """Cut a text where it would make a sentence unreadable."""
    return text if len(text) <= 200 else text[:197] + "..."
