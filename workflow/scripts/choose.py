"""Choose time constant and readouts of every network by its accuracy on validation images."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import comparisons, tables
    from csnn.files import write_table

    write_table(snakemake.output[0], comparisons.choose(tables.read(snakemake.input[0])))
