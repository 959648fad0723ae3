"""Set accuracy, operations, energy and latency of CNNs, quantised CNNs and networks side by side."""

from csnn.job import logged

with logged(snakemake):
    from csnn import verification, words
    from csnn.evaluation import cost_comparison, decisions
    from csnn.files import read_json, read_npz, write_table, write_text

    params, files = snakemake.params, snakemake.input
    decided = decisions.read_all(files.decisions, params.settings)
    verification.check_certificates(files.certificates, decisions.compiled_networks(decided))
    quantised = {}
    for cnn, path in zip(params.quantised, files.quantised, strict=True):
        copies = read_npz(path)
        right = copies["classes"] == copies["labels"]
        quantised[cnn] = dict(zip(copies["bits"].tolist(), right, strict=True))
    table = cost_comparison.table(decided, list(map(read_json, files.activity)), quantised)
    write_table(snakemake.output.csv, table)
    hidden = ["spiking", *(key for key in ("max_rate_hz", "initial_voltage") if table[key].dropna().nunique() == 1)]
    shown = words.readable(table.drop(columns=hidden))
    write_text(snakemake.output.markdown, words.to_markdown(shown, cost_comparison.NOTE), checksum=True)
