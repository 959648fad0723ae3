"""Show a table as a page of the report that can be sorted and searched."""

from csnn.job import logged

with logged(snakemake):
    from csnn import words
    from csnn.files import read_table, write_text
    from csnn.report import pages

    table = words.readable(read_table(snakemake.input[0]))
    write_text(snakemake.output[0], pages.table_page(snakemake.params.title, snakemake.params.caption, table))
