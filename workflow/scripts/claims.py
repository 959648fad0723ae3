"""Test the paper's claims about LIF and A-LIF neurons."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import comparisons
    from csnn.evaluation import decisions
    from csnn.evaluation import invariants
    from csnn.files import write_text

    invariants.check_certificates(snakemake.input.certificates)
    table = comparisons.claims(decisions.read_all(snakemake.input.decisions))
    write_text(snakemake.output.csv, table.to_csv(index=False))
    note = (
        "Differences of accuracy in percentage points on the same images, with 95 % intervals over images; p of "
        "McNemar's test, or of Wilcoxon's where an image counts by its share of steps or seeds, adjusted by Holm's "
        "method."
    )
    write_text(snakemake.output.markdown, comparisons.to_markdown(comparisons.with_intervals(table), note))
