"""Build the CNN and train it on the training set."""

from csnn.job import logged, progress

with logged(snakemake):
    from csnn.model import cnn
    from csnn.nengodl import converter as convertible
    from csnn import responses
    from csnn.data.images import read_images, training_set
    from csnn.files import write_json
    from csnn.nengodl.compat import tf, use_threads

    training = snakemake.params.training
    use_threads(snakemake.threads)
    cnn.seed_everything(training["seed"])
    dataset = read_images(snakemake.input.dataset)
    model = cnn.build(dataset.x_train.shape[1:], len(dataset.class_names), **snakemake.params.architecture)
    convertible.check(model)
    model.summary(line_length=100)

    done = progress(training["epochs"], "epochs", every_s=0)
    history = cnn.train(
        model,
        *training_set(dataset, snakemake.params.held_out),
        epochs=training["epochs"],
        batch_size=training["batch_size"],
        callbacks=[tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: done(epoch + 1))],
    )
    made_with = snakemake.params.cnn | {"dataset": responses.source(snakemake.input.dataset)}
    cnn.save(model, snakemake.output.model, made_with)
    write_json(snakemake.output.architecture, {"layers": cnn.describe(model)})
    write_json(snakemake.output.history, history)
