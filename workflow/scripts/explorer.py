"""Make the interactive page of the report."""

from csnn.job import logged

with logged(snakemake):
    from csnn import responses
    from csnn.evaluation import decisions, tables
    from csnn.files import read_npz, write_text
    from csnn.report import explorer, pages

    files = snakemake.input
    images = read_npz(files.images)
    names = [str(name) for name in images["class_names"]]
    decided = decisions.read_all(files.decisions)
    size = len(decided), decided[0].leaders.shape[1], len(names)
    shown, kept = explorer.images_shown(images["labels"], *size), explorer.steps_shown(*size)
    records = []
    for path, configuration in zip(files.responses, decided, strict=True):
        logits = responses.read(path).logits
        records += [explorer.record(logits[image], configuration, image, kept, names) for image in shown]
    pictures = {}
    if snakemake.params.show_images:
        pictures = {
            record["image"]: explorer.picture(images["images"][image])
            for record, image in zip(records, shown, strict=False)
        }
    table = explorer.configurations(tables.read(files.scores))
    page = explorer.page(records, pictures, names, table, images=len(images["labels"]))
    write_text(snakemake.output[0], pages.packed(page))
