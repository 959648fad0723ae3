"""Write the report's first lines: what was asked, what came out, what it means."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import decisions
    from csnn.files import read_table, write_text
    from csnn.report import opening

    READERS = {"decisions": decisions.read_all}
    results = {name: READERS.get(name, read_table)(files) for name, files in snakemake.input.items() if files}
    write_text(
        snakemake.output[0], opening.opening(**results, paper=snakemake.params.paper, made_by=snakemake.params.made_by)
    )
