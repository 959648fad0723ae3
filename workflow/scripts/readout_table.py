"""Collect what every configuration decided, under every readout, in one tidy table."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import comparisons
    from csnn.evaluation import decisions
    from csnn.evaluation import invariants
    from csnn.files import write_text

    invariants.check_certificates(snakemake.input.certificates)
    table = comparisons.readout_table(decisions.read_all(snakemake.input.decisions))
    write_text(snakemake.output[0], table.to_csv(index=False))
