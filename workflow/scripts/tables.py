"""Make the paper's two tables, and the comparison with its published numbers, as CSV and Markdown."""

from csnn.job import logged

with logged(snakemake):
    from pathlib import Path

    import pandas as pd

    from csnn.evaluation import tables
    from csnn.files import write_text

    scores = tables.scores(pd.read_csv(snakemake.input.scores))
    made = {"table1": tables.table1(scores), "table2": tables.table2(scores)}
    if snakemake.input.published:
        made["comparison"] = tables.comparison(scores, pd.read_csv(snakemake.input.published))
    for path in map(Path, snakemake.output):
        table = made[path.stem]
        write_text(path, table.to_csv(index=False) if path.suffix == ".csv" else tables.to_markdown(table, scores))
