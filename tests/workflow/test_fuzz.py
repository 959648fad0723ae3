"""Configurations at random, valid and mutated: each is refused in one sentence, or ``snakemake -n`` plans it.

They are read by the function that the workflow calls; a few go through the real ``snakemake -n`` besides, which must
come to the same end. Provenance and files of models are treated alike. ``CSNN_TEST_SEED`` and ``CSNN_TEST_EXAMPLES``
choose others, and more.
"""

import copy
import json
import os
from collections import Counter
from collections.abc import Mapping

import h5py
import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import reproduce
from conftest import dry_run
from csnn.experiment import configuration, schema
from csnn.files import InputError, write_json
from csnn.model.keras_file import read_model
from csnn.nengodl_compat import tf

SEED = int(os.environ.get("CSNN_TEST_SEED", "0"))
EXAMPLES = int(os.environ.get("CSNN_TEST_EXAMPLES", "300"))  # a thirtieth of them through Snakemake, too
COMMON = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}

NAMES = st.sampled_from(["LIF", "SRL", "a", "b-2", "base", "tables", "0"])
NEURONS = st.one_of(
    st.fixed_dictionaries({}, optional={name: st.just({}) for name in ("RLR", "SRL", "LIF", "A-LIF")}),
    st.fixed_dictionaries(
        {"LIF": st.fixed_dictionaries({}, optional={"tau_rc_s": st.floats(0.001, 1), "tau_ref_s": st.floats(0, 0.01)})},
        optional={
            "own": st.sampled_from([{"type": "A-LIF", "inc_n_effective": 0.01}, {"type": "SRL"}, {}]),
            "RLR": st.none(),
        },
    ),
)
TEXTS = {
    "experiment": st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True),
    "source": st.sampled_from(["digits", "digits", "cifar10", "absent.npz"]),
    "builder": st.sampled_from([None, None, None, "mine.py:build", "absent.py:build"]),
    "weights": st.sampled_from([None, None, "weights.h5", "absent.h5"]),
    "archive": st.none(),
    "from": st.sampled_from(["base", "a", "b-2", None, "absent"]),
    "activation": st.sampled_from(["relu", "LIF", "own", "RLR"]),
}
JUNK = st.one_of(
    st.none(), st.booleans(), st.text(max_size=8), st.integers(-2, 3), st.integers(), st.floats(),
    st.sampled_from([10**30, "1e400", ".nan", "{x}", "<results>", "$(touch run)", "a b", "é", "\n", "../x", "a/b"]),
    st.lists(st.one_of(st.integers(-1, 1), st.floats(), st.text(max_size=3), st.none()), max_size=3),
    st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip


def values(key: str, part: Mapping) -> st.SearchStrategy:
    """Values of a key that the schema allows, small enough for a dry run."""
    return TEXTS[key] if key in TEXTS else st.one_of(options(key, one) for one in schema.alternatives(part))


def options(key: str, part: Mapping) -> st.SearchStrategy:
    """Values of one type."""
    if key == "neurons" and part["type"] == "object":
        return NEURONS
    if "enum" in part:
        return st.sampled_from(part["enum"])
    if part["type"] == "array":
        sizes = {"min_size": part.get("minItems", 0), "max_size": 2}
        return st.lists(values("", part["items"]), unique_by=repr, **sizes)
    if part["type"] == "object" and part.get("additionalProperties"):
        return st.dictionaries(NAMES, values("", part["additionalProperties"]), max_size=2)
    if part["type"] == "object":
        return st.fixed_dictionaries({}, optional={k: values(k, v) for k, v in part["properties"].items()})
    least = part.get("minimum", 0)
    return {
        "null": st.none(),
        "boolean": st.booleans(),
        "string": NAMES,
        "integer": st.integers(least, least + 3),
        "number": st.floats(max(least, 1e-5), min(part.get("maximum", 1), 1000)),
    }[part["type"]]


VALID = values("", schema.json_schema())


def places(value: object, path: tuple = ()) -> list[tuple]:
    """Every place in a configuration."""
    found = [path]
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        found += places(item, (*path, key))
    return found


@st.composite
def mutated(draw: st.DrawFn, valid: st.SearchStrategy = VALID) -> dict:
    """A valid configuration with one or two places changed, removed, doubled or renamed."""
    config = draw(valid)
    for _ in range(draw(st.integers(1, 2))):
        paths = [path for path in places(config) if path]
        if not paths:
            return {draw(st.text(max_size=5)): draw(JUNK)}
        *parents, last = draw(st.sampled_from(paths))
        place = config
        for parent in parents:
            place = place[parent]
        change = draw(st.sampled_from(["replace", "replace", "remove", "double", "rename"]))
        if change == "replace":
            place[last] = draw(JUNK)
        elif isinstance(place, list):
            place.append(place[last]) if change == "double" else place.pop(last)
        else:
            value = place.pop(last)
            if change != "remove":
                place[draw(st.one_of(st.just(f"{last}s"), st.text(max_size=5), st.integers(), st.none()))] = value
    return config


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a working directory with files that a configuration can name."""
    (tmp_path / "mine.py").touch()
    (tmp_path / "weights.h5").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CSNN_CIFAR10", raising=False)
    return tmp_path


def sentence(config: dict) -> str | None:
    """What the workflow says to a configuration, or None if it takes it."""
    try:
        configuration.read(yaml.safe_load(yaml.safe_dump(config, sort_keys=False)))
    except InputError as error:
        return str(error)
    return None


def test_every_configuration_is_refused_in_one_sentence_or_taken(folder):
    count = Counter()

    @seed(SEED)
    @settings(max_examples=EXAMPLES, phases=[Phase.generate, Phase.shrink], **COMMON)
    @given(st.one_of(VALID, mutated()))
    def check(config):
        said = sentence(config)
        count["taken" if said is None else "refused"] += 1
        if said is not None:
            assert len(said.splitlines()) == 1, said
            assert "config key" in said, said
            assert " must " in said or " takes " in said or " known are " in said or ";" in said, said

    check()
    print(f"seed {SEED}: {dict(count)}")
    assert min(count["taken"], count["refused"]) > EXAMPLES / 10


RECORDS = st.builds(
    lambda config, digest: {
        "configuration": config,
        "sha256": {kind: {f"results/{kind}": digest} for kind in reproduce.COMPARED},
        "code": {"commit": digest[:40], "changed": False},
        "machine": {"cpu": "abacus"},
        "packages": {"numpy": "2"},
    },
    VALID,
    st.text("0123456789abcdef", min_size=64, max_size=64),
)
FOREIGN = {"__use_yte__": True, "__definitions__": ["import os; os.system('touch run')"], "?if True": {"a": "?1"}}


def test_a_foreign_provenance_is_refused_in_one_sentence_or_holds_nothing_that_runs(folder):
    count = Counter()

    @seed(SEED)
    @settings(max_examples=EXAMPLES, phases=[Phase.generate, Phase.shrink], **COMMON)
    @given(st.one_of(RECORDS, mutated(RECORDS)), st.sets(st.sampled_from(sorted(FOREIGN)), max_size=1))
    def check(content, foreign):
        if foreign and isinstance(content.get("configuration"), dict):
            content["configuration"] |= {key: FOREIGN[key] for key in foreign}
        (folder / "provenance.json").unlink(missing_ok=True)
        before = set(folder.iterdir())
        try:
            write_json(folder / "provenance.json", content)
        except (ValueError, TypeError):
            (folder / "provenance.json").write_text(repr(content))  # which no reader takes
        try:
            config = reproduce.checked_configuration(reproduce.read_record(folder))
        except InputError as error:
            count["refused"] += 1
            assert len(str(error).splitlines()) == 1, error
        else:
            count["taken"] += 1
            assert set(config) == set(schema.json_schema()["properties"])
            assert not [path for key, path in configuration.named_files(config) if path and key.startswith("cnn")]
            assert configuration.read(config) == config
        assert set(folder.iterdir()) - before == {folder / "provenance.json"}

    check()
    print(f"seed {SEED}: {dict(count)}")
    assert min(count["taken"], count["refused"]) > EXAMPLES / 10


def example_model() -> tf.keras.Model:
    """A CNN with a branch, and layers with and without weights."""
    layers = tf.keras.layers
    image = layers.Input((6, 6, 1))
    x = layers.Conv2D(2, 3, padding="same", activation="relu")(image)
    branch = layers.ReLU()(layers.BatchNormalization()(layers.SeparableConv2D(2, 1, use_bias=False)(x)))
    x = layers.Dropout(0.5)(layers.AveragePooling2D()(layers.Add()([x, branch])))
    return tf.keras.Model(image, layers.Dense(3, activation="softmax")(layers.Flatten()(x)))


def test_a_model_file_is_refused_in_one_sentence_or_read(folder):
    """Its architecture is mutated; the weights are those of the model that it was."""
    path, count = folder / "model.h5", Counter()
    example_model().save(path, save_format="h5")
    with h5py.File(path) as file:
        valid = json.loads(file.attrs["model_config"])

    @seed(SEED)
    @settings(max_examples=EXAMPLES, phases=[Phase.generate, Phase.shrink], **COMMON)
    @given(mutated(st.builds(copy.deepcopy, st.just(valid))))
    def check(config):
        with h5py.File(path, "a") as file:
            file.attrs["model_config"] = json.dumps(config)
        try:
            weights = read_model(path).get_weights()
        except InputError as error:
            count["refused"] += 1
            assert len(str(error).splitlines()) == 1, error
            assert str(path) in str(error)
        else:
            count["read"] += 1
            assert all(np.isfinite(weight).all() for weight in weights)

    check()
    print(f"seed {SEED}: {dict(count)}")
    assert min(count["read"], count["refused"]) > EXAMPLES / 10


def test_snakemake_comes_to_the_same_end(folder):
    count = Counter()

    @seed(SEED)
    @settings(max_examples=EXAMPLES // 30, phases=[Phase.generate], **COMMON)
    @given(st.one_of(VALID, mutated()).filter(lambda config: config))
    def check(config):
        said = sentence(config)
        code, output = dry_run(folder, config)
        count["planned" if said is None else "refused"] += 1
        if said is None:
            assert code == 0, (config, output)
        else:
            assert code == 1, (config, output)
            assert output.splitlines()[-1] == f"Error: {said}", (config, output)
        assert not (folder / "run").exists()

    check()
    print(f"seed {SEED}: {dict(count)}")
    assert min(count.values()) > 0
