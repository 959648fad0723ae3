"""Scripts run outside Snakemake, in a debugger; and what they call is what the digest of their code counts."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY
from csnn.experiment import code

DEBUG = REPOSITORY / "workflow" / "debug.py"

PROFILED = """
import inspect, json, runpy, sys, threading
from pathlib import Path

sys.path.insert(0, sys.argv[1])
from debug import mock_snakemake

script, snakemake = mock_snakemake(sys.argv[2], [Path("experiment.yaml")])
called = set()


def record(frame, event, argument):
    if event == "call" and frame.f_code.co_flags & inspect.CO_OPTIMIZED:  # a function, not the body of a class
        called.add((frame.f_code.co_filename, frame.f_code.co_qualname))


threading.setprofile(record)
sys.setprofile(record)
runpy.run_path(str(script), {"snakemake": snakemake})
sys.setprofile(None)
print(json.dumps([script.name, sorted(called)]), file=sys.stderr)
"""


@pytest.fixture
def copy(finished, tmp_path):
    return finished.copy(tmp_path / "copy")


def run(copy, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python in the folder of an experiment."""
    copy.command()  # writes the configuration
    return subprocess.run(
        [sys.executable, *arguments], cwd=copy.folder, capture_output=True, text=True, timeout=600, input=""
    )


def test_a_debugger_stops_in_a_script_and_the_script_makes_its_file(copy):
    table = copy.results / "tables" / "scores.csv"
    expected = table.read_bytes()
    table.unlink()
    command = ["b csnn.files:write_text", "c", "where", "clear 1", "c", "q"]
    arguments = [str(DEBUG), "results/small/tables/scores.csv", "--configfile", "experiment.yaml"]
    process = run(copy, "-m", "pdb", *(word for line in command for word in ("-c", line)), *arguments)
    assert table.read_bytes() == expected, process.stdout + process.stderr


def test_an_exception_ends_where_it_was_raised(copy):
    (copy.results / "LIF/tau-0.005+0.01/seed-0/test-2-of-3.npz").write_bytes(b"")
    path = "results/small/LIF/tau-0.01/seed-0/test.npz"
    process = run(copy, str(DEBUG), path, "--configfile", "experiment.yaml")
    assert process.returncode == 1
    assert "Traceback" in process.stderr and "in read_npz" in process.stderr


@pytest.mark.parametrize(
    "path",
    [
        "images/test.npz",
        "cnn/model.h5",
        "LIF/networks/seed-0.npz",
        "LIF/tau-0.005+0.01/seed-0/test-2-of-3.npz",
        "LIF/tau-0.01/seed-0/test.npz",
        "verification/LIF/seed-0/tau-0.005+0.01.json",
        "tables/scores.csv",
        "figures/figure5.png",
    ],
)
def test_the_digest_counts_every_function_that_a_script_calls(copy, path):
    process = run(copy, "-c", PROFILED, str(DEBUG.parent), f"results/small/{path}")
    assert process.returncode == 0, process.stderr
    script, called = json.loads(process.stderr.splitlines()[-1])
    reached = code.reached(script)
    counted = 0
    for file, name in called:
        if code.FOLDER in Path(file).parents and Path(file).name != script:
            module = code._module(Path(file))
            name = name.partition(".")[0]
            # csnn.__getattr__ serves `import csnn` of a user's own code; Python asks it for subpackages first
            if module != "csnn.job" and name != "__getattr__" and not name.startswith("<"):
                counted += 1
                assert (module, name if name in code._parts(module) else "") in reached, (module, name)
    assert counted > 5
