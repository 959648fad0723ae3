"""Choose time constant and readouts of every network by its accuracy on validation images."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.evaluation import comparisons
    from csnn.files import write_text

    write_text(snakemake.output[0], comparisons.choose(pd.read_csv(snakemake.input[0])).to_csv(index=False))
