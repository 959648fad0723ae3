"""Collect the scores of every CNN and of every configuration in one tidy table."""

from csnn.job import logged

with logged(snakemake):
    from csnn import verification
    from csnn.evaluation import decisions, tables
    from csnn.files import read_npz, write_table

    configurations = decisions.read_all(snakemake.input.decisions, snakemake.params.settings)
    verification.check_certificates(snakemake.input.certificates, decisions.compiled_networks(configurations))
    outputs = map(read_npz, snakemake.input.cnns)
    cnns = {
        cnn: (output["logits"], output["labels"]) for cnn, output in zip(snakemake.params.cnns, outputs, strict=True)
    }
    write_table(snakemake.output[0], tables.scores(cnns, configurations))
