"""Say what was done to each CNN, what that cost, and how accurate the networks made from it are."""

from csnn.job import logged

with logged(snakemake):
    from pathlib import Path

    import pandas as pd

    from csnn import words
    from csnn.evaluation import comparisons
    from csnn.files import read_table, write_table, write_text

    making = {cnn: dict(how) for cnn, how in snakemake.params.making.items()}
    benchmarks = {cnn: Path(snakemake.params.benchmarks, how.pop("benchmark")) for cnn, how in making.items()}
    seconds = {cnn: pd.read_csv(path, sep="\t")["s"].mean() for cnn, path in benchmarks.items() if path.is_file()}
    table = comparisons.effort_table(making, seconds, read_table(snakemake.input.gap))
    write_table(snakemake.output.csv, table)
    note = "Seconds are those of the CNN's own job, without what it is made from. Accuracies are at the final step."
    write_text(snakemake.output.markdown, words.to_markdown(words.readable(table), note), checksum=True)
