"""Make the paper's two tables, that of confidence, and the comparison with published numbers, as CSV and Markdown."""

from csnn.job import logged

with logged(snakemake):
    from pathlib import Path

    import pandas as pd

    from csnn import words
    from csnn.evaluation import confidence, tables
    from csnn.files import write_table, write_text

    scores = tables.read(snakemake.input.scores)
    caption = tables.caption(scores)
    made = {
        "table1": (tables.table1(scores), caption),
        "table2": (tables.table2(scores), caption),
        "confidence": (tables.confidence_table(scores), confidence.MEANING),
    }
    if snakemake.input.published:
        table = tables.comparison(scores, pd.read_csv(snakemake.input.published))
        made["comparison"] = table, f"{caption} Differences are ours minus the paper's."
    for path in map(Path, snakemake.output):
        table, note = made[path.stem]
        if path.suffix == ".csv":
            write_table(path, table)
        else:
            write_text(path, words.to_markdown(words.readable(table), note), checksum=True)
