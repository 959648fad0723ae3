"""Run an experiment again from its provenance, beside the first one, and compare every number: `make reproduce`.

usage: reproduce.py results/<experiment> [arguments of snakemake]

What the experiment was made from is read from its ``provenance.json``; it runs anew as <experiment>-reproduced, and the
SHA-256 of its weights, compiled networks and tables are set beside those of the first. Exit code 1 if any differs.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

CODE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CODE / "workflow" / "scripts"))

from csnn.files import InputError, read_json  # noqa: E402

COMPARED = ("weights", "networks", "tables")


def read_record(results: Path) -> dict:
    """Read an experiment's provenance."""
    try:
        return read_json(results / "provenance.json")
    except FileNotFoundError as error:
        raise InputError(
            f"{results} has no provenance.json; it must be the folder of a finished experiment: results/<experiment>"
        ) from error


def compare(first: Mapping, second: Mapping) -> Iterator[tuple[str, bool]]:
    """Yield each file of two experiments, by its path within them, and whether it is the same in both."""
    for kind in COMPARED:
        hashes = [
            {Path(path).relative_to("results", record["configuration"]["experiment"]): sum_ for path, sum_ in found}
            for record in (first, second)
            for found in [record["sha256"][kind].items()]
        ]
        for path in sorted(set().union(*hashes)):
            yield str(path), hashes[0].get(path) == hashes[1].get(path)


def circumstances(first: Mapping, second: Mapping) -> Iterator[str]:
    """Yield what else differs, which may be why numbers do."""
    for name in ("code", "machine", "packages"):
        for key in sorted(set(first[name]) | set(second[name])):
            then, now = first[name].get(key), second[name].get(key)
            if then != now:
                yield f"{name}, {key}: {then} then, {now} now"


def main(results: str, *arguments: str) -> int:
    """Reproduce an experiment; return the number of files that differ."""
    first = read_record(Path(results))
    configuration = dict(first["configuration"])
    configuration["experiment"] += "-reproduced"
    again = Path("results", configuration["experiment"])
    if again.exists():
        raise InputError(f"{again} exists already; delete it to reproduce the experiment once more")
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(configuration, file)
        file.flush()
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(CODE / "Snakefile"), "--configfile", file.name]
        subprocess.run([*command, "--cores", "all", *arguments, "--", str(again / "provenance.json")], check=True)
    second = read_record(again)
    differ = 0
    for path, same in compare(first, second):
        print(f"{'same     ' if same else 'DIFFERENT'}  {path}")
        differ += not same
    for difference in circumstances(first, second):
        print(f"not the same: {difference}")
    print(f"{differ} files differ" if differ else "every number is the same")
    return differ


if __name__ == "__main__":
    try:
        sys.exit(bool(main(*sys.argv[1:])))
    except InputError as error:
        sys.exit(f"Error: {error}")
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)
    except TypeError:
        sys.exit(__doc__)
