"""Test the paper's claims about LIF and A-LIF neurons."""

from csnn.job import logged

with logged(snakemake):
    from csnn import verification, words
    from csnn.evaluation import comparisons, decisions
    from csnn.files import write_table, write_text

    configurations = decisions.read_all(snakemake.input.decisions, snakemake.params.settings)
    verification.check_certificates(snakemake.input.certificates, decisions.compiled_networks(configurations))
    table = comparisons.claims(configurations)
    write_table(snakemake.output.csv, table)
    note = (
        "Differences of accuracy in percentage points on the same images, with 95 % intervals over images; p of "
        "McNemar's test, or of Wilcoxon's where an image counts by its share of steps or seeds, adjusted by Holm's "
        "method."
    )
    write_text(snakemake.output.markdown, words.to_markdown(words.readable(table), note), checksum=True)
