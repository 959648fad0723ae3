"""Draw one figure: the files that a rule names are read and handed to its function, each under its name."""

from csnn.job import logged

with logged(snakemake):
    from csnn.data.images import read_images
    from csnn.evaluation import decisions, recording, tables
    from csnn.figures import accuracy, agreement, confidence, cost, images, responses, robustness, style
    from csnn.files import read_json, read_npz, read_table
    from csnn.responses import read_shard

    MODULES = {"accuracy": accuracy, "agreement": agreement, "confidence": confidence, "images": images}
    MODULES |= {"cost": cost, "responses": responses, "robustness": robustness}
    READERS = {
        "activity": lambda paths: list(map(read_json, paths)),
        "corruptions": read_table,
        "cost": read_table,
        "dataset": lambda path: read_images(path, snakemake.params.dataset),
        "decisions": decisions.read_all,
        "gap": read_table,
        "image": read_npz,
        "images": read_npz,
        "layers": lambda path: read_json(path)["layers"],
        "recording": recording.read,
        "responses": lambda paths: [
            response
            for path in paths
            for response in read_shard(path)
            if response.provenance["tau_syn_s"] in snakemake.params.taus_syn_s[response.provenance["network"]]
        ],
        "scores": tables.read,
    }
    module, function = snakemake.params.draw.split(".")
    arguments = {name: READERS[name](files) for name, files in snakemake.input.items()}
    style.save(getattr(MODULES[module], function)(**arguments), snakemake.output)
