"""Collect the scores of the CNN and of every configuration in one tidy table."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import invariants
    from csnn.evaluation import tables
    from csnn.files import read_json, write_text

    evaluation = read_json(snakemake.input.cnn)
    found = dict(zip(snakemake.input.scores, map(read_json, snakemake.input.scores), strict=True))
    invariants.check_origins(found, snakemake.params.settings, evaluation["images"])
    invariants.check_seeds(found.values())
    invariants.check_certificates(snakemake.input.certificates, found.values())
    cnn = {"neuron": tables.CNN, "tau_syn_s": None, "seed": None, **evaluation["evaluated_images"]}
    scores = tables.scores([cnn, *found.values()])
    write_text(snakemake.output[0], scores.to_csv(index=False))
