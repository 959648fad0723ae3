"""Convert the CNN with NengoDL and compile the spiking network for the event-driven engine.

The time constant of the synapses is not part of what is compiled: `simulate` sets it.
"""

from csnn.job import logged

with logged(snakemake):
    import dataclasses
    import json

    import numpy as np

    from csnn.model import cnn
    from csnn import verification
    from csnn.event.compiler import compile_network
    from csnn.files import hash_of_file, read_json
    from csnn.nengodl.conversion import convert_to
    from csnn.event.simulator import simulate
    from csnn.nengodl.compat import use_threads
    from csnn.event.network import save_network

    conversion = snakemake.params.conversion
    use_threads(snakemake.threads)
    seed = int(snakemake.wildcards.seed)
    origin = hash_of_file(snakemake.input.model)
    certificate = read_json(snakemake.input.certificate)
    converter = convert_to(
        cnn.load(snakemake.input.model, conversion["cnn"]),
        conversion,
        max_rate_hz=verification.certified_rates(certificate, origin, conversion["max_rate_hz"]),
        tau_syn_s=0.005,  # any: what matters is which connections have a filter
        seed=seed,
    )
    network = compile_network(
        converter.net, converter.inputs[converter.model.input], converter.outputs[converter.model.output], seed
    )
    made_from = {"model": origin, "settings": json.dumps(conversion, sort_keys=True)}
    network = dataclasses.replace(network, provenance=network.provenance | made_from)
    # one step compiles the kernels into their cache, so that the many jobs that follow need not
    simulate(network, np.zeros((1, *converter.model.input_shape[1:]), np.float32), steps=1)
    save_network(network, snakemake.output[0])
