"""Run an experiment again from its provenance, beside the first one, and compare every number: `make reproduce`.

usage: reproduce.py results/<experiment> [arguments of snakemake]

What the experiment was made from is read from its ``provenance.json``; it runs anew in reproduced/<experiment>/, with
the same data, and the SHA-256 of its weights, compiled networks and tables are set beside those of the first. Exit code
1 if any differs.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml

CODE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CODE / "workflow" / "scripts"))

from csnn.experiment.configuration import named_files  # noqa: E402
from csnn.files import InputError, read_json  # noqa: E402

COMPARED = ("weights", "networks", "tables")


def read_record(results: Path) -> dict:
    """Read an experiment's provenance."""
    path = results / "provenance.json"
    if not path.is_file():
        raise InputError(
            f"{results} has no provenance.json; it must be the folder of a finished experiment: results/<experiment>"
        )
    return read_json(path)


def compare(first: Mapping, second: Mapping) -> Iterator[tuple[str, bool]]:
    """Yield each file of two runs of an experiment, and whether it is the same in both."""
    for kind in COMPARED:
        then, now = first["sha256"][kind], second["sha256"][kind]
        for path in sorted(set(then) | set(now)):
            yield path, then.get(path) == now.get(path)


def circumstances(first: Mapping, second: Mapping) -> Iterator[str]:
    """Yield what else differs, which may be why numbers do."""
    for name in ("code", "machine", "packages"):
        for key in sorted(set(first[name]) | set(second[name])):
            then, now = first[name].get(key), second[name].get(key)
            if then != now:
                yield f"{name}, {key}: {then} then, {now} now"


def give_the_same_data(folder: Path, configuration: Mapping) -> None:
    """Let a folder have, at the same paths, the files that a configuration names and the data made from them."""
    named = [path for _, path in named_files(configuration) if path and not Path(path).is_absolute()]
    for path in dict.fromkeys(["data", *named]):
        place = folder / path
        if Path(path).exists() and not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.symlink_to(Path(path).resolve())


def main(results: str, *arguments: str) -> int:
    """Reproduce an experiment; return the number of files that differ."""
    first = read_record(Path(results))
    configuration = first["configuration"]
    folder = Path("reproduced", configuration["experiment"])
    if folder.exists():
        raise InputError(f"{folder} exists already; delete it to reproduce the experiment once more")
    folder.mkdir(parents=True)
    give_the_same_data(folder, configuration)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True), encoding="utf-8")
    again = Path("results", configuration["experiment"])
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(CODE / "Snakefile"), "--directory", str(folder)]
    command += ["--configfile", str(path), "--cores", "all", *arguments, "--", str(again / "provenance.json")]
    subprocess.run(command, check=True)
    second = read_record(folder / again)
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
