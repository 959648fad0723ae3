"""Download a file of a public data set and check it."""

from csnn.job import logged

with logged(snakemake):
    from csnn.data.sources import download

    download(snakemake.params.source, snakemake.wildcards.file, snakemake.output[0])
