"""Run an experiment again from its provenance, beside the first one, and compare every number: `make reproduce`.

What the experiment was made from is read from its ``provenance.json``; it runs anew in reproduced/<experiment>/, with
the same data, and the SHA-256 of its weights, compiled networks and tables are set beside those of the first. Exit code
1 if any differs.

The file may be a stranger's: it is checked whole before anything is made, and files that it names are used only where
they lie under the working directory; those with code or weights only where ``--allow`` names them as well.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, Field, ValidationError

CODE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CODE / "workflow" / "scripts"))

from csnn.experiment import configuration  # noqa: E402
from csnn.experiment.messages import one_line  # noqa: E402
from csnn.files import InputError, exit_on_input_error, read_json  # noqa: E402

COMPARED = ("weights", "networks", "tables")


class Record(BaseModel, strict=True):
    """What is read of ``provenance.json``."""

    configuration: dict[str, Any]
    sha256: dict[str, dict[str, Annotated[str, Field(pattern="^[0-9a-f]{64}$")]]]
    code: dict[str, str | bool | None]
    machine: dict[str, str]
    packages: dict[str, str]


def read_record(results: Path) -> Record:
    """Read an experiment's provenance.

    Raises
    ------
    InputError
        If there is none, or it is not as the workflow writes it.
    """
    path = results / "provenance.json"
    if not path.is_file():
        raise InputError(
            f"{results} has no provenance.json; it must be the folder of a finished experiment: results/<experiment>"
        )
    try:
        record = Record.model_validate(read_json(path))
    except ValidationError as error:
        first = error.errors()[0]
        key = one_line(".".join(map(str, first["loc"])))
        raise InputError(
            f"{path} is not as this workflow writes it ({key}: {first['msg']}); it must be a finished experiment's"
        ) from error
    if absent := [kind for kind in COMPARED if kind not in record.sha256]:
        raise InputError(f"{path} has no hashes of {absent[0]}; it must be a finished experiment's")
    return record


def checked_configuration(record: Record, allowed: Collection[str] = ()) -> dict[str, Any]:
    """Return the complete configuration of a record: with known keys only, and with files that are safe to use.

    Parameters
    ----------
    record
    allowed
        Files that the user has looked at and named.

    Raises
    ------
    InputError
        Naming the key and what would be right.
    """
    config = configuration.read(record.configuration)
    trusted = set(map(os.path.normpath, allowed))
    for key, path in configuration.named_files(config):
        if path is None or key.startswith("data.archive, from") or os.path.normpath(path) in trusted:
            continue  # the variable of the archive is the user's own
        if not key.startswith("data."):
            raise InputError(
                f"config key {key} names {path}, which holds code or weights; if you have looked at it and trust it, "
                f"give the option --allow {path}"
            )
        if os.path.isabs(path) or ".." in Path(path).parts:
            raise InputError(
                f"config key {key} names {path}, which may lie outside of the working directory; if it is the file "
                f"that you mean, give the option --allow {path}"
            )
    return config


def compare(first: Record, second: Record) -> Iterator[tuple[str, bool]]:
    """Yield each file of two runs of an experiment, and whether it is the same in both."""
    for kind in COMPARED:
        then, now = first.sha256[kind], second.sha256[kind]
        for path in sorted(set(then) | set(now)):
            yield path, then.get(path) == now.get(path)


def circumstances(first: Record, second: Record) -> Iterator[str]:
    """Yield what else differs, which may be why numbers do."""
    for name in ("code", "machine", "packages"):
        before, after = getattr(first, name), getattr(second, name)
        for key in sorted(set(before) | set(after)):
            then, now = before.get(key), after.get(key)
            if then != now:
                yield f"{name}, {key}: {then} then, {now} now"


def give_the_same_data(folder: Path, config: Mapping) -> None:
    """Let a folder have, at the same paths, the files that a configuration names and the data made from them."""
    named = [path for _, path in configuration.named_files(config) if path and not Path(path).is_absolute()]
    for path in dict.fromkeys(["data", *named]):
        link = Path(os.path.normpath(folder / path))
        if Path(path).exists() and not link.exists() and link.is_relative_to(folder.parent):
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(Path(path).resolve())


def reproduce(results: Path, allowed: Collection[str], arguments: Collection[str]) -> int:
    """Reproduce an experiment; return the number of files that differ.

    Parameters
    ----------
    results
        The folder of the experiment.
    allowed
        Files that the user trusts.
    arguments
        Of Snakemake.
    """
    first = read_record(results)
    config = checked_configuration(first, allowed)
    folder = Path("reproduced", config["experiment"])
    if folder.exists():
        raise InputError(f"{folder} exists already; delete it to reproduce the experiment once more")
    folder.mkdir(parents=True)
    give_the_same_data(folder, config)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False, allow_unicode=True), encoding="utf-8")
    again = Path("results", config["experiment"])
    command = [sys.executable, "-P", "-m", "snakemake", "--cores", "all", "--configfile", str(path)]
    command += ["--snakefile", str(CODE / "Snakefile"), "--directory", str(folder), *arguments]
    command += ["--", str(again / "provenance.json")]
    subprocess.run(command, check=True)
    second = read_record(folder / again)
    differ = 0
    for name, same in compare(first, second):
        print(f"{'same     ' if same else 'DIFFERENT'}  {one_line(name)}")
        differ += not same
    for difference in circumstances(first, second):
        print(f"not the same: {one_line(difference)}")
    print(f"{differ} files differ" if differ else "every number is the same")
    return differ


def main() -> int:
    """Read the command line, and reproduce an experiment."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of a finished experiment: results/<experiment>")
    parser.add_argument(
        "--allow", action="append", default=[], metavar="FILE", help="a file that the experiment names and you trust"
    )
    options, arguments = parser.parse_known_args()
    try:
        with exit_on_input_error():
            return bool(reproduce(options.results, options.allow, arguments))
    except subprocess.CalledProcessError as error:
        return error.returncode


if __name__ == "__main__":
    sys.exit(main())
