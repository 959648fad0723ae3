"""Write docs/configuration.md: every key of config.yaml, from the schema that checks it. `make docs` runs this."""

import json
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))

from csnn.neurons import NEURONS  # noqa: E402

SCHEMA = REPOSITORY / "workflow" / "schemas" / "config.schema.yaml"
HEAD = """# Configuration

Made from [the schema](../workflow/schemas/config.schema.yaml) by `make docs`.

The defaults are the paper's experiment, so a file of your own (`--configfile`) states only what differs. Keys are
written with dots here: `snn.steps` is the key `steps` under `snn`. A mistake ends in one sentence before anything runs.
"""


def rows(schema, place=""):
    """Yield key, default, what is allowed and description of every value, in the order of the schema.

    Below a mapping of names of the user's own, `<name>` stands for one; below a list, `[]` for an item.
    """
    for key, described in schema.get("properties", {}).items():
        name = f"{place}.{key}" if place else key
        if "properties" in described:
            yield from rows(described, name)
            continue
        default = json.dumps(described["default"], ensure_ascii=False) if "default" in described else ""
        yield name, default, described.get("allowed", ""), described.get("description", "")
        for below, mark in (("additionalProperties", ".<name>"), ("items", "[]")):
            yield from rows(described.get(below) or {}, name + mark)


def table(header, lines):
    """Return a table in Markdown; outside of code, < would begin HTML."""
    text = [
        [str(cell) if str(cell).startswith("`") else str(cell).replace("<", "&lt;") for cell in line] for line in lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *text]) + "\n"


def configuration():
    """Return the page."""
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    parts = [HEAD]
    for key, described in schema["properties"].items():
        found = list(rows({"properties": {key: described}}))
        lines = [
            (f"`{name}`", f"`{default}`" if default else "", allowed, says) for name, default, allowed, says in found
        ]
        words = described["description"] + "\n\n" if "properties" in described else ""
        parts.append(f"## {key}\n\n{words}" + table(["key", "default", "allowed", "what it is"], lines))
    lines = [
        (f"`{name}`", f"[`nengo.{neuron.nengo_name}`](method.md#neurons)", f"`{key}`" if key else "none", *about)
        for name, neuron in NEURONS.items()
        for key, about in (
            [(key, (parameter.default, parameter.allowed)) for key, parameter in neuron.parameters.items()]
            or [("", ("", ""))]
        )
    ]
    head = ["neuron", "in Nengo", "parameter", "default", "allowed"]
    parts.append("## Neurons and their parameters\n\nTimes in seconds.\n\n" + table(head, lines))
    return "\n".join(parts)


if __name__ == "__main__":
    Path(__file__).with_name("configuration.md").write_text(configuration(), encoding="utf-8")
