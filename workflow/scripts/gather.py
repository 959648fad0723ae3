"""Put the shards of one configuration together, checking that each image is there once."""

from csnn.job import logged

with logged(snakemake):
    from csnn import responses
    from csnn.files import read_npz

    files, settings = snakemake.input, snakemake.params.settings
    images = read_npz(files.images)
    made_from = {
        "compiled_network" if settings["engine"] == "event" else "model": responses.source(files.network),
        "images": responses.source(files.images),
    }
    classes = len(images["class_names"])
    whole = responses.gather(files.shards, images["labels"], images["indices"], settings | made_from, classes)
    responses.write(snakemake.output[0], whole)
