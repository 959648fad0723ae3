"""Build the CNN and train it on the training set."""

from csnn.job import logged, progress

with logged(snakemake):
    from csnn.model import cnn
    from csnn.model.equivalent import CHECKED_IMAGES, equivalent
    from csnn.data.images import pixels, read_images, training_set
    from csnn.files import write_json
    from csnn.nengodl_compat import tf, use_threads

    training = snakemake.params.training
    use_threads(snakemake.threads)
    dataset = read_images(snakemake.input.dataset, snakemake.params.cnn["dataset"])
    cnn.seed_everything(training["seed"])
    trained = cnn.build(dataset.x_train.shape[1:], len(dataset.class_names), **snakemake.params.architecture)
    trained.summary(line_length=100)

    done = progress(training["epochs"], "epochs", every_s=0)
    history = cnn.train(
        trained,
        *training_set(dataset, snakemake.params.held_out),
        epochs=training["epochs"],
        batch_size=training["batch_size"],
        callbacks=[tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: done(epoch + 1))],
    )
    model = equivalent(trained, pixels(dataset.x_test[:CHECKED_IMAGES]))
    cnn.save(model, snakemake.output.model, snakemake.params.cnn)
    write_json(snakemake.output.architecture, {"layers": cnn.describe(model)})
    write_json(snakemake.output.history, history)
