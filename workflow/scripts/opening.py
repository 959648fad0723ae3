"""Write the report's first lines: the question, the answer that the results give, and Table 2."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import decisions, tables
    from csnn.files import read_table, write_text
    from csnn.report import opening

    READERS = {"decisions": decisions.read_all, "scores": tables.read}
    results = {name: READERS.get(name, read_table)(files) for name, files in snakemake.input.items() if files}
    write_text(snakemake.output[0], opening.opening(**results))
