"""Early decisions with a guarantee: what they cover, and how long they take."""

from csnn.job import logged

with logged(snakemake):
    from csnn import verification, words
    from csnn.evaluation import decisions, tables
    from csnn.files import write_table, write_text

    configurations = decisions.read_all(snakemake.input.decisions, snakemake.params.settings)
    verification.check_certificates(snakemake.input.certificates, decisions.compiled_networks(configurations))
    table = tables.conformal(configurations)
    write_table(snakemake.output.csv, table)
    note = (
        f"Split conformal prediction, calibrated on {snakemake.params.validation_images} validation images: an image "
        "is decided at the first step at which one class is left; the others end at the final step. Covered: "
        f"the classes left hold the true one, on {table['images'][0]} test images, with a 95 % interval."
    )
    text = words.to_markdown(words.readable(tables.brief(table)), note)
    write_text(snakemake.output.markdown, text, checksum=True)
