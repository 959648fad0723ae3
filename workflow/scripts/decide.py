"""Read decisions from the logits of one configuration by every readout, and score them."""

from csnn.job import logged

with logged(snakemake):
    from csnn import responses
    from csnn.evaluation import decisions, readouts
    from csnn.files import AGAIN, InputError, check_settings, hash_of_json, read_npz

    params = snakemake.params
    answers = responses.read(snakemake.input.responses)
    check_settings(snakemake.input.responses, answers.provenance, params.settings)
    cnn = read_npz(snakemake.input.cnn)
    if str(cnn["images"]) != answers.provenance["images"]:
        raise InputError(f"{snakemake.input.cnn} is of other images than {snakemake.input.responses}; {AGAIN}")
    configuration = {
        **params.described,
        **{key: params.settings[key] for key in ("network", "tau_syn_s", "seed", "dt_s")},
        "seed_matters": params.seed_matters,
        "settings": hash_of_json(params.settings),
        "compiled_network": answers.provenance.get("compiled_network"),
        "versions": answers.provenance["versions"],
        "logits_sha256": decisions.fingerprint(answers.logits),
    }
    validation = None
    if snakemake.input.validation:
        others = responses.read(snakemake.input.validation)
        check_settings(snakemake.input.validation, others.provenance, params.settings)
        validation = others.logits, others.labels
    configured = readouts.configured(**params.readouts, validation=validation)
    decided = decisions.decide(configuration, answers.logits, answers.labels, cnn["logits"], configured)
    decisions.write(snakemake.output[0], decided)
