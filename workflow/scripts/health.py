"""Check the health of each network: what its layers of neurons do, and what of it explains a loss of accuracy."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import health
    from csnn.files import read_json, write_table

    has_max_pooling = {
        cnn: any("Max" in layer["type"] for layer in read_json(path)["layers"])
        for cnn, path in zip(snakemake.params.cnns, snakemake.input.architectures, strict=True)
    }
    layers, causes = health.tables(map(read_json, snakemake.input.metrics), has_max_pooling)
    print(layers.to_string(index=False), *health.summary(causes), sep="\n")
    write_table(snakemake.output.layers, layers)
    write_table(snakemake.output.findings, causes)
