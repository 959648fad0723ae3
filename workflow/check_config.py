"""Check a configuration file, without running anything that it holds or names: `make check-config FILE=mine.yaml`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "scripts"))

from csnn.experiment import configuration, sweep
from csnn.files import exit_on_input_error


def main() -> None:
    """Say whether a file is a valid configuration, what it spans, and which files it would have the workflow use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", help="of configuration, in YAML")
    path = parser.parse_args().file
    with exit_on_input_error():
        config = configuration.read_file(path)
    networks = sweep.networks(config["snn"], config["cnn"]["variants"])
    number = len(list(sweep.configurations(networks)))
    print(f"{path} is valid: experiment {config['experiment']}, {number} configurations of {len(networks)} networks")
    for warning in configuration.warnings(config):
        print(f"Warning: {warning}")
    for key, name in configuration.named_files(config):
        if name:
            print(f"config key {key} names {name}" + ", whose Python code would run" * name.endswith(".py"))


if __name__ == "__main__":
    main()
