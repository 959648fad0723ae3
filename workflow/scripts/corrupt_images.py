"""Disturb the first test images by one kind of corruption, at one strength after another."""

from csnn.job import logged

with logged(snakemake):
    from csnn.data import corruptions
    from csnn.data.images import read_selection
    from csnn.files import write_npz

    selection = read_selection(snakemake.input[0], snakemake.params.dataset)
    write_npz(snakemake.output[0], corruptions.stack(selection, **snakemake.params.corruption))
