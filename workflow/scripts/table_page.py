"""Show a table as a page of the report that can be sorted and searched."""

from csnn.job import logged

with logged(snakemake):
    from csnn import words
    from csnn.experiment.sweep import BASE
    from csnn.files import read_table, write_text
    from csnn.report import pages

    table = read_table(snakemake.input[0])
    said = {"cnn": BASE, "neuron": table.get("network", "")}  # by the network's name
    said = [name for name, value in said.items() if name in table and (table[name] == value).all()]
    table = words.readable(table.drop(columns=said))
    write_text(snakemake.output[0], pages.table_page(snakemake.params.title, snakemake.params.caption, table))
