"""Make a variant of a CNN: change its architecture, keep weights that still fit, tune and calibrate what results."""

from csnn.job import logged, progress

with logged(snakemake):
    from csnn.model import cnn
    from csnn.model import tuning
    from csnn.model.calibration import calibrate
    from csnn.model.equivalent import CHECKED_IMAGES
    from csnn.model.graph import with_average_pooling
    from csnn.data.images import pixels, read_images, training_set
    from csnn.files import check_contents, write_json
    from csnn.nengodl_compat import tf, use_threads

    tune = snakemake.params.tune
    use_threads(snakemake.threads)
    check_contents(snakemake.input.files, snakemake.params.cnn.get("files", []))
    dataset = read_images(snakemake.input.dataset, snakemake.params.cnn["dataset"])
    architecture = snakemake.params.architecture
    parent = cnn.load(snakemake.input.parent, snakemake.params.parent) if snakemake.input.parent else None
    cnn.seed_everything(tune["seed"])  # after loading, which draws numbers: new layers start the same with any parent
    if parent is not None and not architecture.keys().isdisjoint(("builder", "model")):
        model = with_average_pooling(parent) if architecture.get("pooling") == "average" else parent
    else:
        images = pixels(dataset.x_test[:CHECKED_IMAGES])
        model = cnn.build_equivalent(images, len(dataset.class_names), architecture, snakemake.params.weights)
        if parent is not None:
            new = tuning.take_weights(model, parent)
            print("layers with new weights:", ", ".join(new) or "none", flush=True)
    model.summary(line_length=100)

    history = {}
    if tune["epochs"] or tune["rate_curve"]:
        images, labels = training_set(dataset, snakemake.params.held_out, tune["images"])
        done = progress(tune["epochs"], "epochs", every_s=0)
        options = {key: tune[key] for key in ("epochs", "batch_size", "learning_rate", "seed", "mirror", "shift")}
        options |= {key: tune[key] for key in ("label_smoothing", "rate_hz")}
        options["callbacks"] = [tf.keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: done(epoch + 1))]
        if tune["rate_curve"]:
            model, history = tuning.tune_to_rate_curve(model, images, labels, **tune["rate_curve"], **options)
        else:
            output_hz = tuning.rates_of_outputs(model, tune.get("max_rate_hz", 1.0))
            history = tuning.tune(model, images, labels, output_hz=output_hz, **options)
    if settings := snakemake.params.cnn.get("calibrate"):
        images, _ = training_set(dataset, snakemake.params.held_out, settings["images"])
        to = settings["rate_curve"] or {}
        model, calibration = calibrate(model, images, method=settings["method"], progress=progress, **to)
        history["calibration"] = {"neuron": settings["neuron"]} | calibration
    cnn.save(model, snakemake.output.model, snakemake.params.cnn)
    write_json(snakemake.output.architecture, {"layers": cnn.describe(model)})
    write_json(snakemake.output.history, history)
