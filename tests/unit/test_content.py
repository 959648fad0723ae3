"""Hashes of the files that a user named: computed once, and again where a file was replaced."""

import os
import shutil
import time

import pytest

from csnn.experiment import content
from csnn.files import InputError, check_contents, hash_of_file


@pytest.fixture
def path(tmp_path, monkeypatch):
    """Return a file that was written long ago, in the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(content, "_SETTLED_NS", 0)
    (tmp_path / "mine.npz").write_bytes(b"content")
    time.sleep(0.02)
    return "mine.npz"


@pytest.fixture
def computed(monkeypatch):
    """Return a list of the files whose hash was computed."""
    paths = []
    monkeypatch.setattr(content, "hash_of_file", lambda path: paths.append(path) or hash_of_file(path))
    return paths


def test_the_hash_of_a_file_is_computed_once(path, computed):
    assert content.digest(path) == content.digest(path) == hash_of_file(path)
    assert computed == [path]


def test_a_file_that_has_just_been_written_is_read_again(path, computed, monkeypatch):
    monkeypatch.setattr(content, "_SETTLED_NS", 10**10)
    content.digest(path)
    content.digest(path)
    assert computed == [path, path]


def test_a_file_of_the_same_size_and_time_is_known_for_another(path, computed):
    before = content.digest(path)
    state = os.stat(path)
    with open(path, "r+b") as file:
        file.write(b"CONTENT")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert content.digest(path) == hash_of_file(path) != before


def test_a_copy_with_its_old_time_is_known_for_what_it_is(path):
    before = content.digest(path)
    with open("older.npz", "wb") as file:
        file.write(b"another")
    os.utime("older.npz", (10**9, 10**9))
    shutil.copy2("older.npz", path)
    assert content.digest(path) != before


@pytest.mark.parametrize("kept", ["", "[]", '{"a": 1}', "{", '{"mine.npz": []}'])
def test_a_damaged_list_of_hashes_is_left_aside(path, kept):
    content.KNOWN.parent.mkdir()
    content.KNOWN.write_text(kept)
    assert content.digest(path) == hash_of_file(path)


def test_where_nothing_can_be_kept_the_hash_is_computed(path):
    content.KNOWN.parent.write_text("a file in the place of the folder")
    assert content.digest(path) == hash_of_file(path)


def test_a_file_that_was_changed_since_the_run_was_planned_is_named(path):
    planned = hash_of_file(path)
    check_contents([path], [planned])
    with open(path, "ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match=f"^{path} was changed after this run had been planned; give the same command"):
        check_contents([path], [planned])
