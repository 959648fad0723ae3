"""Write docs/configuration.md and the JSON schema for editors from the models of the keys: `make docs` runs this."""

import json
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "workflow" / "scripts"))

from csnn.experiment import schema  # noqa: E402
from csnn.neurons import NEURONS  # noqa: E402

SCHEMA = REPOSITORY / "workflow" / "schemas" / "config.schema.json"
PAGE = REPOSITORY / "docs" / "configuration.md"
HEAD = """# Configuration

Generated from [the models of the keys](../workflow/scripts/csnn/experiment/schema.py) by `make docs`, as is
[the JSON schema](../workflow/schemas/config.schema.json), with which editors complete and check a configuration.

The defaults are the paper's experiment, so a file of your own (`--configfile`) states only what differs. Keys are
written with dots here: `snn.steps` is the key `steps` under `snn`. A mistake ends in one sentence before anything runs.

## What a configuration file can do

A configuration is data, with two exceptions. Mind them before you use a file that somebody else wrote:

- `cnn.architecture.builder` names Python code, which the workflow runs.
- In a file with the key `__use_yte__`, Snakemake itself runs expressions as soon as it reads the file, also with `-n`.
  The workflow refuses such files, but one given by `--configfile` reaches it only after Snakemake has run it.

`make check-config FILE=theirs.yaml` says whether a file is valid and which files it names, and runs nothing of it.
`make reproduce RESULTS=theirs` takes a provenance file for a stranger's: it checks all of it before it makes anything,
keeps to files under the working directory, and uses a builder or weights only where you name the files, too:
`make reproduce RESULTS=theirs ALLOW="network.py weights.h5"`.
"""


def rows(part, key):
    """Yield key, default, what is allowed and description of each value below a part of the schema.

    Below a mapping of names of the user's own, `<name>` stands for one; below a list, `[]` for an item.
    """
    described = schema.alternatives(part)
    sections = [part for part in described if "properties" in part]
    if "description" in part:
        default = json.dumps(part["default"], ensure_ascii=False) if "default" in part else ""
        yield key, default, schema.words(part), part.get("description", "")
    for part in sections:
        for name, value in part["properties"].items():
            if not any(name in neuron.parameters for neuron in NEURONS.values()):  # these have a table of their own
                yield from rows(value, f"{key}.{name}")
    for part in described:
        for below, mark in (("additionalProperties", ".<name>"), ("items", "[]")):
            if any("properties" in option for option in schema.alternatives(part.get(below) or {})):
                yield from rows(part[below], key + mark)


def parameters():
    """Yield a row for each parameter of each neuron type."""
    for name, neuron in NEURONS.items():
        nengo = f"[`nengo.{neuron.nengo_name}`](method.md#neurons)"
        if not neuron.parameters:
            yield f"`{name}`", nengo, "none", "", "", "", ""
        for key, parameter in neuron.parameters.items():
            default = "" if parameter.default is None else f"`{parameter.default}`"
            yield f"`{name}`", nengo, f"`{key}`", default, parameter.allowed, parameter.unit, parameter.description


def table(header, lines):
    """Return a table in Markdown; outside of code, < would begin HTML."""
    text = [
        [str(cell) if str(cell).startswith("`") else str(cell).replace("<", "&lt;") for cell in line] for line in lines
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *text]) + "\n"


def page():
    """Return the page."""
    parts = [HEAD]
    for key, part in schema.json_schema()["properties"].items():
        lines = [
            (f"`{name}`", f"`{default}`" if default else "", allowed, description)
            for name, default, allowed, description in rows(part, key)
        ]
        words = schema.alternatives(part)[0]["description"] + "\n\n" if "$ref" in part else ""
        parts.append(f"## {key}\n\n{words}" + table(["key", "default", "allowed", "what it is"], lines))
    head = ["neuron", "in Nengo", "parameter", "default", "allowed", "unit", "what it is"]
    parts.append("## Neurons and their parameters\n\n" + table(head, parameters()))
    return "\n".join(parts)


def files():
    """Return the text of each generated file."""
    return {PAGE: page(), SCHEMA: json.dumps(schema.json_schema(), indent=2, ensure_ascii=False) + "\n"}


if __name__ == "__main__":
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
