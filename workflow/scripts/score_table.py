"""Collect the scores of the CNN and of every configuration in one tidy table."""

from csnn.job import logged

with logged(snakemake.log[0]):
    from csnn import tables
    from csnn.files import read_json, write_text

    cnn = {"neuron": tables.CNN, "tau_syn_s": None, "seed": None}
    cnn |= read_json(snakemake.input.cnn)["evaluated_images"]
    scores = tables.scores([cnn, *map(read_json, snakemake.input.scores)])
    write_text(snakemake.output[0], scores.to_csv(index=False))
