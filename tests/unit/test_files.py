"""Files are written completely or not at all; responses hold together; logs say one sentence."""

import errno
import hashlib
import json
import os
import subprocess
import sys
import textwrap
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from csnn import responses
from csnn.files import (
    InputError,
    atomic_write,
    read_npz,
    read_npz_with_metadata,
    read_table,
    write_json,
    write_npz,
    write_table,
    write_text,
)
from csnn.responses import Responses

RNG = np.random.default_rng(0)


def test_a_file_that_fails_half_way_is_not_there(tmp_path):
    path = tmp_path / "folder" / "file.txt"
    with pytest.raises(RuntimeError), atomic_write(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert not list(path.parent.iterdir())


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    path = tmp_path / "file.json"
    write_json(path, {"old": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"new": float("nan")})
    assert "old" in path.read_text()
    assert os.listdir(tmp_path) == ["file.json"]


WRITE = """
import sys, time
from csnn.files import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    sys.stdin.read()
    temporary.write_text("whole")
"""


@contextmanager
def writer(path, code=WRITE):
    """Run a process that is half way through writing a file until its input ends."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code, str(path)], env=environment, **pipes) as process:
        assert process.stdout.readline() == "writing\n"
        yield process
        process.stdin.close()


def test_what_a_killed_writer_left_is_removed_once_it_is_old(tmp_path):
    path = tmp_path / "file.txt"
    with writer(path) as process:
        process.kill()
        process.wait(30)
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".file.txt~")
    write_text(path, "new")
    assert left.exists()
    os.utime(left, (time.time() - 3600,) * 2)
    write_text(path, "newer")
    assert os.listdir(tmp_path) == ["file.txt"]


def test_what_a_living_writer_writes_is_left_alone(tmp_path):
    path = tmp_path / "file.txt"
    with writer(path) as process:
        write_text(path, "new")
        write_text(tmp_path / "file", "of a name that begins alike")
        assert len(list(tmp_path.iterdir())) == 3
    assert process.returncode == 0
    assert path.read_text() == "whole"
    assert sorted(os.listdir(tmp_path)) == ["file", "file.txt"]


def test_a_writer_that_paused_too_long_fails_and_leaves_the_file_as_it_is(tmp_path):
    path = tmp_path / "file.txt"
    with pytest.raises(FileNotFoundError), atomic_write(path) as temporary:
        os.utime(temporary, (time.time() - 3600,) * 2)
        write_text(path, "new")
        assert not temporary.exists()
    assert path.read_text() == "new"


def test_content_is_on_the_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, Path.replace

    def record_fsync(handle):
        calls.append(("fsync", os.readlink(f"/proc/self/fd/{handle}")))
        fsync(handle)

    def record_replace(path, target):
        calls.append(("replace", str(path)))
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", record_fsync)
    monkeypatch.setattr(Path, "replace", record_replace)
    write_text(tmp_path / "file.txt", "content")
    (first, temporary), (second, renamed), (third, folder) = calls
    assert (first, second, third) == ("fsync", "replace", "fsync")
    assert temporary == renamed and folder == str(tmp_path)


def job(log: Path) -> str:
    """Return the first lines of a script that runs as a job, without Snakemake."""
    return f"""
from types import SimpleNamespace
from csnn.job import logged
__file__ = "script.py"
job = SimpleNamespace(log=[{str(log)!r}], rule="rule", input=[], output=[], params={{}})
"""


def test_a_job_that_is_told_to_end_clears_away_what_it_was_writing(tmp_path):
    code = (
        job(tmp_path / "job.log")
        + "with logged(job):\n"
        + textwrap.indent(WRITE, "    ").replace(
            '    print("writing", flush=True)', '    os.write(saved, b"writing\\n")'
        )
    )
    code = "import os\nsaved = os.dup(1)\n" + code
    with writer(tmp_path / "file.txt", code) as process:
        process.terminate()
        process.wait(30)
    assert process.returncode == 128 + 15
    assert os.listdir(tmp_path) == ["job.log"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), OSError("HDF5: errno = 28, 'No space left on device'")]
)
def test_a_full_disk_is_said_in_one_sentence(tmp_path, error):
    path = tmp_path / "file.txt"
    with pytest.raises(InputError, match=f"no space is left to write {path}; make room, then give"), atomic_write(path):
        raise error
    assert not list(tmp_path.iterdir())


@pytest.fixture
def table(tmp_path):
    """Return the path of a table, and the table."""
    table = pd.DataFrame({"neuron": ["LIF", "é"], "accuracy": [0.1, 1 / 3]})
    write_table(tmp_path / "scores.csv", table)
    return tmp_path / "scores.csv", table


def test_a_table_reads_as_it_was_written(table):
    path, table = table
    pd.testing.assert_frame_equal(read_table(path), table)
    pd.testing.assert_frame_equal(pd.read_csv(path), table)
    subprocess.run(["sha256sum", "--check", "scores.csv.sha256"], cwd=path.parent, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda path: path.write_text(path.read_text().replace("0.1", "0.2")), "was changed after it was written"),
        (lambda path: path.write_bytes(path.read_bytes()[:-20]), "was changed after it was written"),
        (lambda path: path.write_bytes(b""), "was changed after it was written"),
        (lambda path: path.with_name("scores.csv.sha256").unlink(), "has no checksum in scores.csv.sha256"),
        (lambda path: path.with_name("scores.csv.sha256").write_text("0"), "was changed after it was written"),
        (lambda path: path.unlink(), "does not exist"),
    ],
    ids=["edited", "cut", "empty", "without checksum", "damaged checksum", "missing"],
)
def test_a_table_that_was_changed_is_refused(table, damage, sentence):
    path, _ = table
    damage(path)
    with pytest.raises(InputError, match=f"{path} {sentence}.* give the same command again$"):
        read_table(path)


def test_metadata_reads_as_it_was_written(tmp_path):
    metadata = {"seed": 3, "tau_syn_s": [0.005, None]}
    write_npz(tmp_path / "file.npz", {"logits": np.arange(3)}, metadata)
    arrays, read = read_npz_with_metadata(tmp_path / "file.npz")
    assert read == metadata
    assert list(arrays) == ["logits"]
    write_npz(tmp_path / "file.npz", arrays)
    with pytest.raises(InputError, match="it has no metadata"):
        read_npz_with_metadata(tmp_path / "file.npz")


def test_files_have_the_usual_permissions(tmp_path):
    write_json(tmp_path / "ours.json", {})
    (tmp_path / "usual.json").write_text("{}")
    assert (tmp_path / "ours.json").stat().st_mode == (tmp_path / "usual.json").stat().st_mode


def shard(first, count, seed=0, **provenance):
    rng = np.random.default_rng([seed, first])
    return Responses(
        rng.random((count, 5, 3), np.float32),
        np.arange(first, first + count) % 3,
        np.arange(first, first + count),
        {"neuron": "LIF", "seed": seed, "tau_syn_s": 0.01} | provenance,
    )


def written(tmp_path, *shards):
    paths = [tmp_path / f"{i}.npz" for i in range(len(shards))]
    for path, part in zip(paths, shards, strict=True):
        other = part._replace(logits=-part.logits, provenance=part.provenance | {"tau_syn_s": None})
        responses.write_shard(path, [other, part])
    return paths


AT_10_MS = {"tau_syn_s": 0.01}


def test_shards_make_the_whole(tmp_path):
    parts = [shard(0, 4), shard(4, 4), shard(8, 2)]
    whole = responses.gather(written(tmp_path, *parts), np.arange(10) % 3, np.arange(10), AT_10_MS)
    np.testing.assert_array_equal(whole.logits, np.concatenate([part.logits for part in parts]))
    assert whole.provenance == {"neuron": "LIF", "seed": 0, "tau_syn_s": 0.01}


def test_a_shard_without_the_time_constant_is_refused(tmp_path):
    sentence = r"0.npz holds the time constants \[None, 0.01\] in seconds, not 0.02; delete it"
    with pytest.raises(InputError, match=sentence):
        responses.gather(written(tmp_path, shard(0, 10)), np.arange(10) % 3, np.arange(10), {"tau_syn_s": 0.02})
    responses.write(tmp_path / "gathered.npz", shard(0, 10))
    with pytest.raises(InputError, match="does not hold responses of a network"):
        responses.read_shard(tmp_path / "gathered.npz")
    with pytest.raises(InputError, match="does not hold responses of a network"):
        responses.read(*written(tmp_path, shard(0, 10)))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([shard(0, 4), shard(5, 5)], "do not hold each of the 10 images once"),
        ([shard(0, 4), shard(4, 4)], "do not hold each of the 10 images once"),
        ([shard(4, 6), shard(0, 4)], "do not hold each of the 10 images once"),
        ([shard(0, 4), shard(0, 4), shard(4, 6)], "do not hold each of the 10 images once"),
        ([shard(0, 4), shard(4, 6, seed=1)], "was made with another seed than"),
        ([shard(0, 4), shard(4, 6, engine="other")], "was made with another engine than"),
    ],
)
def test_shards_that_do_not_belong_together_are_refused(tmp_path, parts, message):
    with pytest.raises(InputError, match=message):
        responses.gather(written(tmp_path, *parts), np.arange(10) % 3, np.arange(10), AT_10_MS)


def test_shards_with_other_labels_are_refused(tmp_path):
    with pytest.raises(InputError, match="do not hold each"):
        responses.gather(written(tmp_path, shard(0, 10)), np.zeros(10, int), np.arange(10), AT_10_MS)


def test_responses_that_are_not_finite_do_not_come_to_be(tmp_path):
    bad = shard(0, 4)
    bad.logits[2, 3, 1] = np.nan
    with pytest.raises(ValueError, match="logits of image 2 are not finite"):
        responses.write(tmp_path / "bad.npz", bad)
    with pytest.raises(ValueError, match="do not agree"):
        responses.write(tmp_path / "bad.npz", shard(0, 4)._replace(labels=np.zeros(3, int)))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped", "missing", "something else"])
def test_damaged_shards_are_refused(tmp_path, damage):
    (path,) = written(tmp_path, shard(0, 50))
    content = bytearray(path.read_bytes())
    if damage == "truncated":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "flipped":
        content[len(content) // 2] ^= 4
        path.write_bytes(content)
    elif damage == "missing":
        path.unlink()
    else:
        write_npz(path, {"images": np.zeros(3)})
    with pytest.raises(InputError, match=str(path)):
        responses.read(path)


def test_objects_are_not_unpickled(tmp_path):
    np.savez(tmp_path / "objects.npz", logits=np.array([{"an": "object"}]))
    with pytest.raises(InputError, match="not a readable"):
        read_npz(tmp_path / "objects.npz")


@pytest.mark.parametrize(
    ("work", "sentence", "traced"),
    [
        ("raise InputError('config key x is 1; it must be 2')", "Error: config key x is 1; it must be 2", False),
        ("1 / 0", "Error: ZeroDivisionError: division by zero (details: {log})", True),
        ("open('/nowhere/file')", "Error: No such file or directory: /nowhere/file (details: {log})", True),
    ],
)
def test_a_job_that_fails_says_one_sentence(tmp_path, work, sentence, traced):
    log = tmp_path / "job.log"
    script = job(log) + "from csnn.files import InputError\nimport os\n"
    script += f"with logged(job):\n    os.system('echo from outside Python')\n    {work}\n"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert process.returncode == 1
    assert process.stderr == sentence.format(log=log) + "\n"
    assert process.stdout == ""
    assert "from outside Python" in log.read_text()
    assert ("Traceback" in log.read_text()) is traced


def test_a_job_that_goes_well_says_last_what_it_was_made_with(tmp_path):
    log = tmp_path / "job.log"
    (tmp_path / "input.txt").write_text("abc")
    script = job(log) + "job.params, job.output = {'a': 'x', 'b': {'c': None}}, ['file.txt']\n"
    script += f"job.input = [{str(tmp_path / 'input.txt')!r}]\nwith logged(job):\n    print('at work')\n"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=environment)
    *lines, last = log.read_text().splitlines()
    assert lines == ["at work"]
    assert json.loads(last) == {
        "rule": "rule",
        "output": ["file.txt"],
        "params": {"a": "'x'", "b": "{'c': None}"},
        "input": [str(tmp_path / "input.txt")],
        "input_checksums": {str(tmp_path / "input.txt"): hashlib.sha256(b"abc").hexdigest()},
    }


def test_progress_says_how_much_is_left(capsys):
    from csnn.job import progress

    done = progress(10, every_s=0)
    done(4)
    done(10)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "0/10 images"
    assert "4/10" in lines[1]
    assert "10/10" in lines[2]
