"""Report what was chosen on validation images, once, on the test images: the gap between the CNN and each network."""

from csnn.job import logged

with logged(snakemake):
    from csnn import words
    from csnn.evaluation import comparisons, decisions
    from csnn.files import read_table, write_table, write_text

    chosen = decisions.read_all(snakemake.input.decisions, snakemake.params.settings)
    table = comparisons.gap_table(read_table(snakemake.input.choices), chosen)
    write_table(snakemake.output.csv, table)
    note = (
        f"Accuracy on {table['images'][0]} test images with 95 % intervals over images; means over seeds, whose spread "
        "stands apart (seed_sd_points). Time constants and readouts were chosen on "
        f"{snakemake.params.validation_images} validation images. gap_points: the CNN's accuracy minus the network's; "
        "against_cnn: the result of McNemar's test (first seed, Holm's correction)."
    )
    hidden = ["spiking", "p", "images", "settling_ms_median", "validation_accuracy"]
    # what is the same in every row need not be said
    hidden += [key for key in ("max_rate_hz", "initial_voltage") if table[key].astype(str).nunique() == 1]
    table = words.readable(table.drop(columns=hidden))
    write_text(snakemake.output.markdown, words.to_markdown(table, note), checksum=True)
