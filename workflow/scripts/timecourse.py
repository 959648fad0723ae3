"""Take the decisions of every network over time out of its logits, for figures and words to be made from."""

from csnn.job import logged

with logged(snakemake.log[0]):
    from csnn import responses, timecourse
    from csnn.files import read_npz

    images = read_npz(snakemake.input.images)
    course = timecourse.collect(
        map(responses.read, snakemake.input.responses),
        read_npz(snakemake.input.cnn)["logits"],
        images["labels"],
        images["class_names"],
    )
    timecourse.write(snakemake.output[0], course)
