"""Make the interactive page of the report."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.report import explorer
    from csnn.report import pages
    from csnn import responses
    from csnn.evaluation import tables
    from csnn.evaluation import timecourse
    from csnn.files import read_npz, write_text

    course = timecourse.read(snakemake.input.course)
    images = read_npz(snakemake.input.images)
    names = [str(name) for name in course.class_names]
    steps = next(iter(course.decisions.values())).shape[1]
    shown = explorer.images_shown(course.labels, len(snakemake.input.responses), steps, len(names))
    kept = explorer.steps_shown(len(snakemake.input.responses), steps, len(names))
    records = []
    for one in map(responses.read, snakemake.input.responses):
        network = one.provenance["network"], one.provenance["tau_syn_s"]
        records += [explorer.record(one.logits[position], network, position, kept, course, names) for position in shown]
    pictures = {}
    if snakemake.params.show_images:
        pictures = {
            record["image"]: explorer.picture(images["images"][position])
            for record, position in zip(records, shown, strict=False)
        }
    scores = tables.scores(pd.read_csv(snakemake.input.scores))
    page = explorer.page(
        explorer.chart(records, pictures, names),
        explorer.configurations(scores, course),
        sample=len(shown),
        images=len(course.labels),
    )
    write_text(snakemake.output[0], pages.packed(page))
