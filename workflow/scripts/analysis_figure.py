"""Draw one figure of an analysis: the function of its name says what it is drawn from."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.evaluation import decisions
    from csnn.figures import paper as figures
    from csnn.figures import tradeoffs
    from csnn.files import read_json

    def accuracy_vs_latency():
        return tradeoffs.accuracy_vs_latency([decisions.read(path) for path in snakemake.input.decisions])

    def accuracy_vs_operations():
        decided = [decisions.read(path) for path in snakemake.input.decisions]
        return tradeoffs.accuracy_vs_operations(decided, list(map(read_json, snakemake.input.metrics)))

    def readouts_vs_tau():
        return tradeoffs.readouts_vs_tau(pd.read_csv(snakemake.input.table))

    def gap():
        return tradeoffs.gap(pd.read_csv(snakemake.input.table))

    figures.save(globals()[snakemake.params.figure](), snakemake.output)
