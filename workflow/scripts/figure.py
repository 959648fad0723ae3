"""Draw one figure: the function of its name says what it is drawn from."""

from csnn.job import logged

with logged(snakemake):
    import pandas as pd

    from csnn.figures import decisions as decision_figures
    from csnn.figures import paper as figures
    from csnn.evaluation import recording
    from csnn import responses
    from csnn.evaluation import timecourse
    from csnn.data.images import pixels, read_images
    from csnn.files import read_json, read_npz

    def figure1():
        dataset = read_images(snakemake.input.dataset)
        return figures.sample_images(pixels(dataset.x_train), dataset.y_train, dataset.class_names)

    def figure2():
        return figures.architecture(read_json(snakemake.input.architecture)["layers"])

    def figure3():
        logits, about = shown_logits()
        return figures.logits_by_tau(logits, next(iter(logits))[0], **about)

    def figure4():
        image = read_npz(snakemake.input.image)
        name = str(image["class_names"][image["labels"][0]])
        caption = f"image {image['indices'][0]} of the {'training' if image['split'] == 'train' else 'test'} set"
        return figures.labelled_image(image["images"][0], name, caption)

    def figure5():
        logits, about = shown_logits()
        return figures.logits_grid(logits, **about)

    def accuracy_vs_tau():
        return figures.accuracy_vs_tau(pd.read_csv(snakemake.input.scores))

    def loss_vs_tau():
        return figures.loss_vs_tau(pd.read_csv(snakemake.input.scores))

    def accuracy_over_time():
        return decision_figures.accuracy_over_time(timecourse.read(snakemake.input.course))

    def settling_time():
        return decision_figures.settling_time(timecourse.read(snakemake.input.course))

    def confusion_matrices():
        return decision_figures.confusion_matrices(timecourse.read(snakemake.input.course))

    def agreement_with_cnn():
        return decision_figures.agreement_with_cnn(timecourse.read(snakemake.input.course))

    def spikes_and_voltages():
        return decision_figures.spikes_and_voltages(recording.read(snakemake.input.recording))

    def shown_logits():
        """Logits (steps, classes) by neuron and time constant, and what the image is."""
        shown = [responses.read(path) for path in snakemake.input.responses]
        image = read_npz(snakemake.input.image)
        about = {
            "class_names": image["class_names"],
            "true_class": int(image["labels"][0]),
            "dt_s": shown[0].provenance["dt_s"],
        }
        logits = {(one.provenance["network"], one.provenance["tau_syn_s"]): one.logits[0] for one in shown}
        return logits, about

    figures.save(globals()[snakemake.params.figure](), snakemake.output)
