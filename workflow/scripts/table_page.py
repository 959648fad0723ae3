"""Show a table of the experiment as a page of the report."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.report import pages
    from csnn.evaluation import tables
    from csnn.files import write_text

    scores = tables.scores(pd.read_csv(snakemake.input.scores))
    shown = pd.read_csv(snakemake.input.table, dtype=str)
    section = pages.Section("", tables.caption(scores), pages.table(shown))
    write_text(snakemake.output[0], pages.page(snakemake.params.title, [section]))
