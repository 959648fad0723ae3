"""The sweep that a configuration spans, and the paths that spell it."""

from types import SimpleNamespace as Wildcards

import pytest

from csnn.data.sources import identity
from csnn.experiment import sweep
from csnn.experiment.resources import megabytes, minutes, scaled_by_attempt
from csnn.experiment.sweep import Sweep
from csnn.files import InputError, write_text

SNN = {
    "neurons": {"RLR": {}, "LIF": {"tau_rc_s": 0.02}},
    "tau_syn_s": [0.005, None],
    "max_rate_hz": 415,
    "initial_voltage": "random",
    "synapse": "lowpass",
    "seeds": [0, 1],
    "networks": [{}],
}


def variant(parent="base", architecture=None, weights=None, given="relu", **tune):
    """Return a variant as the schema completes it."""
    tuning = {"epochs": 0, "images": None, "activation": "relu", "rate_hz": None} | tune
    own = {"architecture": architecture or {}, "weights": weights, "activation": given}
    return {"from": parent, **own, "tune": tuning, "calibrate": None}


VARIANTS = {
    "swapped": variant(architecture={"pooling": "average"}),
    "lif": variant("swapped", epochs=2, activation="LIF"),
    "wide": variant("lif", {"dense_units": 256}),
    "new": variant(None, {"dense_units": 8}, epochs=1),
}


def test_without_a_table_every_neuron_is_a_network_of_the_cnn_itself():
    found = sweep.networks(SNN, {})
    assert list(found) == ["RLR", "LIF"]
    assert found["LIF"] == {
        "variant": "base",
        "neuron": "LIF",
        "neuron_parameters": {"tau_rc_s": 0.02},
        "max_rate_hz": 415,
        "initial_voltage": "random",
        "synapse": "lowpass",
        "tau_syn_s": [0.005, None],
        "seeds": [0, 1],
    }


def test_rows_cross_their_lists_and_names_say_what_differs():
    rows = [
        {"cnn": ["base", "lif"], "neurons": ["LIF"], "max_rate_hz": [415, 200.5], "seeds": [7]},
        {"neurons": ["RLR"], "initial_voltage": ["half"], "max_rate_hz": [[100, 200]], "tau_syn_s": [0.03]},
    ]
    found = sweep.networks(SNN | {"networks": rows}, VARIANTS)
    assert list(found) == ["LIF", "LIF/rate-200.5", "lif/LIF", "lif/LIF/rate-200.5", "RLR/rate-100-200/start-half"]
    assert list(sweep.configurations(found))[:3] == [
        ("LIF", "0.005", 7),
        ("LIF", "none", 7),
        ("LIF/rate-200.5", "0.005", 7),
    ]
    assert list(sweep.configurations(found))[-1] == ("RLR/rate-100-200/start-half", "0.03", 1)
    assert list(sweep.configurations(found, seeds=1))[-1] == ("RLR/rate-100-200/start-half", "0.03", 0)


def test_a_synapse_other_than_lowpass_stands_in_paths_and_settings(small):
    rows = [{"neurons": ["LIF"], "synapse": ["lowpass", "alpha", {"rise_s": 0.001}], "initial_voltage": ["half"]}]
    found = Sweep(CONFIG | {"snn": CONFIG["snn"] | {"networks": rows}}, small.digest)
    assert list(found.networks) == ["LIF/start-half", "LIF/start-half/alpha", "LIF/start-half/rise-0.001"]
    only = sweep.networks(SNN | {"synapse": "alpha"}, {})
    assert list(only) == ["RLR/alpha", "LIF/alpha"], "also where all have it"
    _, alpha, double = (Wildcards(network=name, tau="0.005", seed="1") for name in found.networks)
    for settings in (found.conversion, found.simulation_settings):
        assert (settings(alpha)["synapse"], settings(double)["synapse"]) == ("alpha", {"rise_s": 0.001})
        assert "synapse" not in settings(Wildcards(network="LIF/start-half", tau="0.005", seed="1"))
    assert found.described(double)["synapse"] == "rise-0.001"
    assert "synapse" not in small.described(LIF)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([{}, {"neurons": ["LIF"]}], "the network LIF twice"),
        ([{"neurons": ["SRL"]}], "names the neuron SRL, which snn.neurons has not; it has RLR, LIF"),
        ([{"cnn": ["other"]}], "cnn.variants has no other; known are base, swapped, lif"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused(rows, sentence):
    with pytest.raises(InputError, match=sentence):
        sweep.networks(SNN | {"networks": rows}, VARIANTS)


def test_variants_change_what_they_are_made_from():
    base = {"pooling": "max", "dense_units": 64}
    assert sweep.architecture(VARIANTS, base, "base") == base
    assert sweep.architecture(VARIANTS, base, "wide") == {"pooling": "average", "dense_units": 256}
    assert sweep.architecture(VARIANTS, base, "new") == {"pooling": "max", "dense_units": 8}


def test_activation_is_that_of_the_last_tuning():
    assert {name: sweep.activation(VARIANTS, name) for name in ("base", *VARIANTS)} == {
        "base": "relu",
        "swapped": "relu",
        "lif": "LIF",
        "wide": "LIF",
        "new": "relu",
    }


def test_a_variant_made_from_itself_is_refused():
    with pytest.raises(InputError, match="a is made from itself"):
        sweep.lineage({"a": variant("b"), "b": variant("a")}, "a")


CONFIG = {
    "experiment": "mine",
    "analyses": ["paper"],
    "data": {"source": "digits", "test_images": 10, "validation_images": 5},
    "cnn": {
        "architecture": {"builder": None, "pooling": "max", "dense_units": 64},
        "model": None,
        "weights": None,
        "training": {"epochs": 3},
        "variants": VARIANTS,
    },
    "snn": SNN | {"dt_s": 0.001, "steps": 50},
    "simulation": {"engine": "event", "precision": "double", "images_per_shard": 4, "minibatch": 25},
    "readouts": {"conformal": None},
    "corruptions": {
        "kinds": ["blur", "contrast"],
        "strengths": [1, 5],
        "images": 7,
        "seed": 3,
        "networks": None,
        "tau_syn_s": None,
    },
    "figures": {"logit_image": {"split": "train", "index": 7}},
}
LIF = Wildcards(network="LIF", tau="0.005", seed="1")


@pytest.fixture
def small():
    return Sweep(CONFIG, digest=lambda script: f"code of {script}")


def test_images_are_cut_into_shards(small):
    folder = "<results>/LIF/tau-0.005+none/seed-1"
    assert small.shards(Wildcards(**vars(LIF), images="test")) == [f"{folder}/test-{i}-of-3.npz" for i in (1, 2, 3)]
    assert len(small.shards(Wildcards(**vars(LIF), images="validation"))) == 2
    shards = [Wildcards(images="test", shard=f"{i}-of-3") for i in (1, 2, 3)]
    assert [small.positions(shard) for shard in shards] == [[0, 4], [4, 8], [8, 10]]
    assert small.positions(Wildcards(images="validation", shard="2-of-2")) == [4, 5]
    assert small.positions(Wildcards(images="logit_image", shard="1-of-1")) == [0, 1]


def test_time_constants_that_were_simulated_together_stay_together(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    taus = {"tau_syn_s": [0.001, 0.005, None, 0.01]}

    def simulated(images="test", **config):
        changed = Sweep(CONFIG | {"snn": CONFIG["snn"] | taus} | config)
        return changed.simulated_together("LIF", 1, images)

    for joined in ("0.005+none", "0.01+0.3", "0.4"):
        folder = tmp_path / f"results/mine/LIF/tau-{joined}/seed-1"
        folder.mkdir(parents=True)
        (folder / "test-2-of-3.npz").touch()
    assert simulated() == ["0.005+none", "0.01+0.3", "0.001"]
    assert simulated("validation") == ["0.001+0.005+none+0.01"]
    (tmp_path / "results/mine/LIF/tau-0.01+0.3/seed-1/logit_image-1-of-1.npz").touch()
    assert simulated("logit_image") == ["0.01+0.3", "0.001+0.005+none"]
    nengo_dl = {"simulation": CONFIG["simulation"] | {"engine": "nengo-dl"}}
    assert simulated(**nengo_dl) == ["0.001", "0.005", "none", "0.01"], "shards of another engine"
    taus["tau_syn_s"] = [0.001, 0.002]
    assert simulated(analyses=["gap"]) == ["0.001", "0.002"], "one that is not chosen would see the test images"
    assert simulated("validation", analyses=["gap"]) == ["0.001+0.002"]
    assert simulated(**nengo_dl) == ["0.001", "0.002"]
    taus["tau_syn_s"] = [i / 1000 for i in range(100, 110)]
    assert [len(joined.split("+")) for joined in simulated()] == [8, 2]


class TestDisturbed:
    """Disturbed images are further sets, of few configurations."""

    def asked(self, **corruptions) -> Sweep:
        asked = {"analyses": ["corruptions"], "corruptions": CONFIG["corruptions"] | corruptions}
        return Sweep(CONFIG | asked, digest=lambda script: f"code of {script}")

    def test_there_are_none_unless_asked_for(self, small):
        assert (small.corrupted, small.number_of_images) == ([], {"test": 10, "validation": 5})

    def test_a_kind_is_a_set_with_all_strengths(self):
        sweep = self.asked()
        assert sweep.number_of_images["corrupted-blur"] == 14
        assert len(sweep.shards(Wildcards(**vars(LIF), images="corrupted-blur"))) == 4
        assert sweep.positions(Wildcards(images="corrupted-blur", shard="4-of-4")) == [12, 14]
        expected = {"kind": "blur", "strengths": [1, 5], "images": 7, "seed": 3}
        assert sweep.corruption(Wildcards(corrupted="corrupted-blur")) == expected

    def test_of_each_network_the_first_time_constant_and_seed_are_disturbed(self):
        assert self.asked().disturbed_configurations(None) == [("RLR", "0.005", 0), ("LIF", "0.005", 0)]
        chosen = self.asked(networks=["LIF"], tau_syn_s=[None, 0.005])
        assert chosen.disturbed_configurations(None) == [("LIF", "none", 0), ("LIF", "0.005", 0)]
        files = chosen.disturbed(None, "{network}-{tau}-a", "{network}-{tau}-b")(None)
        assert files == ["LIF-none-a", "LIF-0.005-a", "LIF-none-b", "LIF-0.005-b"]

    def test_with_gap_those_that_were_chosen(self, tmp_path):
        sweep = self.asked(networks=["LIF"])
        sweep = Sweep(sweep.config | {"analyses": ["gap", "corruptions"]}, digest=sweep.digest)
        write_text(tmp_path / "choices.csv", "network,tau_syn_s\nRLR,0.005\nLIF,\n", checksum=True)
        choices = lambda: tmp_path / "choices.csv"  # noqa: E731
        assert sweep.disturbed_configurations(choices) == [("LIF", "none", 0)]
        every = [("RLR", "0.005", 0), ("RLR", "0.005", 1), ("LIF", "none", 0), ("LIF", "none", 1)]
        assert sweep.reported_configurations(choices) == every


def test_decisions_are_calibrated_on_validation_images_where_that_is_asked_for(small):
    test, validation = (Wildcards(**vars(LIF), images=images) for images in ("test", "validation"))
    assert small.validation_responses(test) == []
    asked = Sweep(CONFIG | {"readouts": {"conformal": {"coverage": 0.9}}})
    assert asked.validation_responses(test).endswith("/validation.npz")
    assert asked.validation_responses(validation) == []


@pytest.mark.parametrize(
    ("images", "indices"),
    [("test", ("test", 0, 10)), ("validation", ("train", -5, 0)), ("logit_image", ("train", 7, 8))],
)
def test_images_of_each_set(small, images, indices):
    assert tuple(small.indices(Wildcards(images=images)).values()) == indices


def test_settings_of_a_cnn_tell_every_step_of_its_making(small):
    assert small.cnn_settings("base") == {
        "dataset": identity("digits"),
        "architecture": {"pooling": "max", "dense_units": 64},
        "training": {"epochs": 3},
        "held_out": 5,
    }
    lif = small.variant_settings(Wildcards(variant="lif"))
    assert lif["tune"]["rate_curve"] == {"neuron": {"tau_rc_s": 0.02}, "max_rate_hz": 415}
    assert lif["from"]["from"] == small.cnn_settings("base")
    assert lif["from"] == small.parent_settings(Wildcards(variant="lif")) == small.cnn_settings("swapped")
    assert small.parent_model(Wildcards(variant="swapped")) == "<results>/cnn/model.h5"
    assert small.parent_model(Wildcards(variant="new")) == []
    assert small.rate_curve_of_cnn(Wildcards(cnn="cnn")) is None
    assert small.rate_curve_of_cnn(Wildcards(cnn="cnn/wide"))["max_rate_hz"] == 415


def test_a_calibrated_cnn_tells_how_it_is_made(small):
    assert "calibrate" not in small.variant_settings(Wildcards(variant="lif"))  # so that results without stay valid
    calibrate = {"method": "least-squares", "images": 300}
    variants = {
        "lsq": variant() | {"calibrate": calibrate | {"neuron": "LIF"}},
        "rlr": variant("lsq") | {"calibrate": calibrate | {"neuron": "RLR"}},
    }
    own = Sweep(CONFIG | {"cnn": CONFIG["cnn"] | {"variants": VARIANTS | variants}}, digest=lambda script: "")
    curve = {"neuron": {"tau_rc_s": 0.02}, "max_rate_hz": 415}
    assert own.variant_settings(Wildcards(variant="lsq"))["calibrate"] == calibrate | {
        "neuron": "LIF",
        "rate_curve": curve,
    }
    assert own.rate_curve_of_cnn(Wildcards(cnn="cnn/lsq")) == curve
    assert own.rate_curve_of_cnn(Wildcards(cnn="cnn/rlr")) is None  # whose rate is a multiple of a ReLU
    assert sweep.making(variants["lsq"]) == {
        "from": "base",
        "made_by": "calibration to LIF, least squares",
        "labelled_images": 0,
        "unlabelled_images": 300,
    }


def test_a_variant_with_weights_of_its_own_depends_on_their_file_and_on_no_other_cnn(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.h5").write_text("weights")
    variants = {
        "given": variant("lif", weights="mine.h5"),
        "trained": variant(weights="mine.h5", given="LIF"),
        "tuned": variant(weights="mine.h5", epochs=1, activation="LIF"),
    }
    own = Sweep(CONFIG | {"cnn": CONFIG["cnn"] | {"variants": VARIANTS | variants}}, digest=lambda script: "")
    given = Wildcards(variant="given", cnn="cnn/given")
    assert own.variant_files(given) == own.files_of_cnn(given) == [own.variant_weights(given)] == ["mine.h5"]
    assert (own.parent_model(given), own.parent_settings(given)) == ([], None)
    assert own.variant_settings(given)["from"] is None
    assert own.variant_settings(given)["files"] == own.content_of_cnn(given)
    assert own.variant_architecture(given) == {"pooling": "average", "dense_units": 64}, "as that of lif"
    assert "files" not in own.variant_settings(Wildcards(variant="lif"))
    assert own.variant_files(Wildcards(variant="lif")) == []
    assert {name: sweep.activation(own.variants, name) for name in variants} == {
        "given": "relu",
        "trained": "LIF",
        "tuned": "LIF",
    }
    assert sweep.making(variants["given"])["made_by"] == "given weights"
    assert sweep.making(variants["trained"])["made_by"] == "given weights, trained with the rate curve of LIF"
    before = own.variant_settings(given)
    (tmp_path / "mine.h5").write_text("others")
    assert Sweep(own.config, digest=lambda script: "").variant_settings(given)["files"] != before["files"]


def test_what_was_done_to_each_cnn_is_told_from_the_first(small):
    making = small.making
    assert next(iter(making)) == "base" and set(small.cnns) <= set(making)
    for name, how in making.items():
        assert how["from"] is None or list(making).index(how["from"]) < list(making).index(name)
    assert making["base"] == {
        "from": None, "made_by": "training", "labelled_images": 1292, "unlabelled_images": 0,
        "benchmark": "train_cnn.tsv",
    }  # fmt: skip


def test_a_builder_stands_for_all_sizes_and_counts_with_what_it_imports(tmp_path):
    builder, blocks = tmp_path / "mine.py", tmp_path / "blocks.py"
    builder.write_text("import os\nfrom blocks import block\ndef build(shape, classes):\n    return block(shape)\n")
    (tmp_path / "unused.py").write_text("x = 1\n")

    def settings(code):
        blocks.write_text(code)
        cnn = CONFIG["cnn"] | {"architecture": {"builder": f"{builder}:build", "pooling": "max"}}
        own = Sweep(CONFIG | {"cnn": cnn})
        assert own.architecture == {"builder": f"{builder}:build"}
        assert own.files(sweep.BASE) == []
        assert own.cnn_settings("new")["builder_code"] == own.builder_code, "which starts from new weights"
        return own.cnn_settings("base")

    before = settings("def block(shape):\n    return 1\n")
    assert settings("# a comment\ndef block(shape):\n    return 1\n") == before
    assert settings("def block(shape):\n    return 2\n") != before
    builder.write_text("def build(:\n")  # refused when it is run
    assert settings("") != before


def test_a_model_file_stands_for_architecture_and_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.keras").write_text("a model")
    own = Sweep(CONFIG | {"cnn": CONFIG["cnn"] | {"model": "mine.keras"}})
    assert own.architecture == {"model": "mine.keras"}
    assert own.files(sweep.BASE) == ["mine.keras"]
    assert not own.trains
    assert "training" not in own.cnn_settings("base")
    (content,) = own.cnn_settings("base")["files"]
    (tmp_path / "mine.keras").write_text("another")
    assert Sweep(own.config).cnn_settings("base")["files"] != [content]


def test_settings_of_a_simulation_do_not_know_other_configurations(small):
    settings = small.simulation_settings(LIF)
    assert settings["code"] == "code of simulate_event.py"
    assert (settings["network"], settings["neuron"], settings["seed"]) == ("LIF", "LIF", 1)
    assert (settings["tau_syn_s"], settings["dt_s"], settings["steps"]) == (0.005, 0.001, 50)
    assert settings["cnn"] == small.cnn_settings("base")
    assert small.shard_settings(Wildcards(network="LIF", taus="0.005+none", seed="1")) == (
        settings | {"tau_syn_s": [0.005, None]}
    )
    assert "minibatch" not in settings
    more = CONFIG | {
        "snn": CONFIG["snn"] | {"seeds": [0, 1, 2], "tau_syn_s": [0.005, 0.1], "neurons": {"LIF": {"tau_rc_s": 0.02}}}
    }
    assert Sweep(more, small.digest).simulation_settings(LIF) == settings
    nengo_dl = Sweep(CONFIG | {"simulation": CONFIG["simulation"] | {"engine": "nengo-dl"}}, small.digest)
    assert nengo_dl.simulation_settings(LIF)["minibatch"] == 25
    assert nengo_dl.simulated_from(LIF) == "<results>/cnn/model.h5"


def test_certificates_cover_each_configuration_once(small, tmp_path):
    def names(sweep, **options):
        return [path.removeprefix("<results>/verification/") for path in sweep.certificates(tmp_path, **options)]

    assert names(small, seeds=1) == ["RLR/seed-0/tau-0.005+none.json", "LIF/seed-0/tau-0.005+none.json"]
    folder = tmp_path / "verification/LIF/seed-0"
    folder.mkdir(parents=True)
    for taus in ("0.005", "0.3", "0.4+0.005+0.1"):
        (folder / f"tau-{taus}.json").touch()
    assert names(small, seeds=1)[1:] == ["LIF/seed-0/tau-0.005.json", "LIF/seed-0/tau-none.json"]
    many = Sweep(CONFIG | {"snn": CONFIG["snn"] | {"tau_syn_s": [i / 1000 for i in range(1, 12)]}})
    assert [len(name.split("+")) for name in names(many, seeds=1)[:2]] == [8, 3]
    assert many.taus_syn_s(Wildcards(taus="none+0.01")) == [None, 0.01]


def test_with_choices_only_what_was_chosen_is_reported_on_the_test_images(tmp_path):
    pattern = "{network}/tau-{tau}/seed-{seed}"
    every = Sweep(CONFIG | {"analyses": ["paper", "claims"]}).reported(lambda: "no table", pattern, seeds=1)
    assert every == ["RLR/tau-0.005/seed-0", "RLR/tau-none/seed-0", "LIF/tau-0.005/seed-0", "LIF/tau-none/seed-0"]
    choices = tmp_path / "choices.csv"
    rows = "network,tau_syn_s,readout\nLIF,,final step\nLIF,,mean of last 5\nRLR,0.005,final step\n"
    write_text(choices, rows, checksum=True)
    gap = Sweep(CONFIG | {"analyses": ["gap"]}, digest=lambda script: "")
    files = gap.reported(lambda: choices, pattern)(None)
    assert files == ["LIF/tau-none/seed-0", "LIF/tau-none/seed-1", "RLR/tau-0.005/seed-0", "RLR/tau-0.005/seed-1"]
    hashes = [gap.hash_of_settings(configuration) for configuration in gap.chosen(choices, seeds=1)]
    assert set(hashes) < set(gap.hashes_of_settings()) and len(set(gap.hashes_of_settings())) == 2 * 2 * 2


def test_limits_grow_with_each_attempt():
    limit = scaled_by_attempt(10.5)
    assert [limit(None, attempt) for attempt in (1, 2, 3)] == [11, 21, 32]
    assert minutes(250, 100, "event") == pytest.approx(10 + 10 * 250 * 100 * 2e-4 / 60)
    assert megabytes(1000, 250, 100) == pytest.approx(700 + 40 + 12.5)
