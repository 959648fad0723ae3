"""Write the report's first lines: the question, the answer that the results give, and Table 2."""

from csnn.job import logged

with logged(snakemake.log[0]):
    import pandas as pd

    from csnn import summary, tables, timecourse
    from csnn.files import write_text

    scores = tables.scores(pd.read_csv(snakemake.input.scores))
    write_text(snakemake.output[0], summary.opening(timecourse.read(snakemake.input.course), scores))
