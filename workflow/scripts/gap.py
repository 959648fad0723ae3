"""Report what was chosen on validation images, once, on the test images: the gap between the CNN and each network."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.evaluation import comparisons
    from csnn.evaluation import decisions
    from csnn.files import write_text

    table = comparisons.gap_table(pd.read_csv(snakemake.input.choices), decisions.read_all(snakemake.input.decisions))
    write_text(snakemake.output.csv, table.to_csv(index=False))
    note = (
        f"Accuracy in percent on {table['images'][0]} test images with 95 % intervals over images; means over seeds, "
        "whose spread stands apart (seed_sd_points). Time constants and readouts were chosen on "
        f"{snakemake.params.validation_images} validation images. gap_points: the CNN's accuracy minus the network's; "
        "against_cnn: what McNemar's test shows (first seed, Holm's correction)."
    )
    columns = [
        "variant", "neuron", "max_rate_hz", "initial_voltage", "tau_syn_s", "readout", "cnn_accuracy", "accuracy",
        "gap_points", "against_cnn", "seeds", "seed_sd_points", "latency_ms", "agreement", "best",
    ]  # fmt: skip
    read = comparisons.with_intervals(table)[columns]
    for setting in ("max_rate_hz", "initial_voltage"):  # the same in every row: no need to say it
        if read[setting].astype(str).nunique() == 1:
            read = read.drop(columns=setting)
    write_text(snakemake.output.markdown, comparisons.to_markdown(read, note))
