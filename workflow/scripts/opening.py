"""Write the report's first lines: the question, the answer that the results give, and Table 2."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.report import opening as summary
    from csnn.evaluation import tables
    from csnn.evaluation import timecourse
    from csnn.files import write_text

    found = {name: pd.read_csv(path) for name, path in snakemake.input.items() if path and name != "course"}
    if "scores" in found:
        found |= {"scores": tables.scores(found["scores"]), "course": timecourse.read(snakemake.input.course)}
    write_text(snakemake.output[0], summary.opening(**found))
