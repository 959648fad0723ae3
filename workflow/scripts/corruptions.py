"""Set in a table what disturbed images and weights cost in accuracy."""

from csnn.job import logged

with logged(snakemake):
    from csnn import verification, words
    from csnn.evaluation import decisions, robustness, tables
    from csnn.files import write_table, write_text

    params, files = snakemake.params, snakemake.input
    clean = decisions.read_all(files.clean, params.settings)
    verification.check_certificates(files.certificates, decisions.compiled_networks(clean))
    # of one kind after another, each of all configurations
    images = [decisions.read_all([path], [params.settings[i % len(clean)]])[0] for i, path in enumerate(files.images)]
    by_kind = {kind: images[i * len(clean) : (i + 1) * len(clean)] for i, kind in enumerate(params.kinds)}
    of_weights = zip(files.weights, clean, strict=True) if files.weights else []
    weights = [robustness.read_weights(path, decided) for path, decided in of_weights]
    table = robustness.table(clean, by_kind, params.strengths, weights, params.images)
    write_table(snakemake.output.csv, table)
    text = words.to_markdown(words.readable(tables.brief(table)), robustness.NOTE)
    write_text(snakemake.output.markdown, text, checksum=True)
