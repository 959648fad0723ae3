"""Simulate the first test images with disturbed weights of one network: with noise, and rounded to few bits."""

from csnn.job import logged, progress

with logged(snakemake):
    import numpy as np

    from csnn.data.images import read_selection
    from csnn.event import disturbed
    from csnn.event.network import SETTINGS, load_network
    from csnn.event.simulator import simulate
    from csnn.files import hash_of_file, hash_of_json, write_npz

    settings, asked = snakemake.params.settings, snakemake.params.disturbances
    images = read_selection(snakemake.input.images, settings["cnn"]["dataset"])
    shown = images["images"][: asked["images"]]
    network = load_network(snakemake.input.network, {key: settings[key] for key in (*SETTINGS, "seed")})
    conditions = [("weight_noise", share) for share in asked["weight_noise"]]
    conditions += [("weight_bits", bits) for bits in asked["weight_bits"]]
    on_images_done = progress(len(conditions) * len(shown))
    decided = []
    for kind, strength in conditions:
        made = (
            disturbed.quantise(network, strength)
            if kind == "weight_bits"
            else disturbed.add_noise(network, strength, asked["seed"])
        )
        before = len(decided) * len(shown)
        simulation = simulate(
            made,
            shown,
            tau_syn_s=settings["tau_syn_s"],
            dt_s=settings["dt_s"],
            steps=settings["steps"],
            precision=settings["precision"],
            threads=snakemake.threads,
            on_images_done=lambda done, before=before: on_images_done(before + done),
        )
        decided.append(simulation.logits[:, -1].argmax(axis=1))
    write_npz(
        snakemake.output[0],
        {"classes": np.array(decided), "labels": images["labels"][: asked["images"]]},
        {
            "conditions": conditions,
            "settings": hash_of_json(settings),
            "compiled_network": hash_of_file(snakemake.input.network),
        },
    )
