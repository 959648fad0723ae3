"""Convert the CNN with NengoDL and compile the spiking network for the event-driven engine.

The time constant of the synapses is not part of what is compiled: `simulate` sets it. Their kind is.
"""

from csnn.job import logged

with logged(snakemake):
    import dataclasses
    import json

    import numpy as np

    from csnn import spiking, verification
    from csnn.event.network import save_network
    from csnn.event.simulator import simulate
    from csnn.files import hash_of_file, read_json
    from csnn.model import cnn
    from csnn.nengodl_compat import use_threads
    from csnn.synapses import LOWPASS

    conversion = snakemake.params.conversion
    use_threads(snakemake.threads)
    origin = hash_of_file(snakemake.input.model)
    certificate = read_json(snakemake.input.certificate)
    network = spiking.convert(
        cnn.load(snakemake.input.model, conversion["cnn"]),
        conversion["neuron"],
        conversion["neuron_parameters"],
        max_rate_hz=verification.certified_rates(certificate, origin, conversion["max_rate_hz"]),
        initial_voltage=conversion["initial_voltage"],
        synapse=conversion.get("synapse", LOWPASS),
        seed=int(snakemake.wildcards.seed),
    )
    made_from = {"model": origin, "settings": json.dumps(conversion, sort_keys=True)}
    network = dataclasses.replace(network, provenance=network.provenance | made_from)
    # one step compiles the kernels into their cache, so that the many jobs that follow need not
    simulate(network, np.zeros((1, *network.input_shape), np.float32), steps=1)
    save_network(network, snakemake.output[0])
