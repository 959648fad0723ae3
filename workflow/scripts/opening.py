"""Write the report's first lines: the question, the answer that the results give, and Table 2."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.evaluation import decisions, tables
    from csnn.files import write_text
    from csnn.report import opening

    READERS = {"decisions": decisions.read_all, "scores": tables.read}
    results = {name: READERS.get(name, pd.read_csv)(files) for name, files in snakemake.input.items() if files}
    write_text(snakemake.output[0], opening.opening(**results))
