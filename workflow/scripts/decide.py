"""Apply every readout to the responses of one configuration."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import decisions
    from csnn.evaluation import invariants
    from csnn.evaluation import readouts
    from csnn import responses
    from csnn.files import AGAIN, InputError, read_npz

    params = snakemake.params
    answers = responses.read(snakemake.input.responses)
    cnn = read_npz(snakemake.input.cnn)
    if (cnn["indices"] != answers.indices).any():
        raise InputError(f"{snakemake.input.cnn} is of other images than {snakemake.input.responses}; {AGAIN}")
    about = {
        "network": snakemake.wildcards.network,
        "variant": params.network["variant"],
        "neuron": params.network["neuron"],
        "seed_matters": params.seed_matters,
        "spiking": params.spiking,
        "max_rate_hz": params.network["max_rate_hz"],
        "initial_voltage": params.network["initial_voltage"],
        "tau_syn_s": answers.provenance["tau_syn_s"],
        "seed": answers.provenance["seed"],
        "dt_s": answers.provenance["dt_s"],
        "logits_sha256": invariants.fingerprint(answers.logits),
    }
    chosen = readouts.configured(**params.readouts)
    decisions.write(snakemake.output[0], decisions.decide(about, answers.logits, answers.labels, cnn["logits"], chosen))
