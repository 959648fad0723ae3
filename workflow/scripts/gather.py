"""Put the shards of one configuration together, checking that each image is there once."""

from csnn.job import logged

with logged(snakemake):
    from csnn.files import hash_of_file
    from csnn import responses
    from csnn.data.images import read_selection

    files, settings = snakemake.input, snakemake.params.settings
    images = read_selection(files.images, settings["cnn"]["dataset"])
    made_from = {
        "compiled_network" if settings["engine"] == "event" else "model": hash_of_file(files.network),
        "images": hash_of_file(files.images),
    }
    classes = len(images["class_names"])
    whole = responses.gather(files.shards, images["labels"], images["indices"], settings | made_from, classes)
    responses.write(snakemake.output[0], whole)
