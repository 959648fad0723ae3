"""Show a table of an analysis as a page of the report that can be sorted and searched."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.report import pages
    from csnn.files import write_text

    title, words = snakemake.params.about["title"], snakemake.params.about["words"]
    head, body = pages.sortable(pages.in_words(pd.read_csv(snakemake.input.table)))
    page = pages.page(title, [pages.Section("", words, body)], head)
    write_text(snakemake.output[0], pages.packed(page))
