"""Take the decisions of every network over time out of its logits, for figures and words to be made from."""

from csnn.job import logged

with logged(snakemake):
    from csnn import responses
    from csnn.evaluation import timecourse
    from csnn.files import AGAIN, InputError, read_npz

    images = read_npz(snakemake.input.images)
    cnn = read_npz(snakemake.input.cnn)
    if (cnn["indices"] != images["indices"]).any():
        raise InputError(f"{snakemake.input.cnn} is of other images than {snakemake.input.images}; {AGAIN}")
    course = timecourse.collect(
        map(responses.read, snakemake.input.responses),
        cnn["logits"],
        images["labels"],
        images["class_names"],
    )
    timecourse.write(snakemake.output[0], course)
