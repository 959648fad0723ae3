"""Simulate every kind of neuron on one image again, keeping spikes and membrane potentials of some neurons."""

from csnn.job import logged

with logged(snakemake):
    from csnn.evaluation import recording
    from csnn.event.simulator import Record, simulate
    from csnn.files import read_npz
    from csnn.event.network import load_network

    params = snakemake.params
    image = read_npz(snakemake.input.image)["images"]
    spikes, voltages = {}, {}
    for neuron, path in zip(params.neurons, snakemake.input.networks, strict=True):
        network = load_network(path)
        simulated = simulate(
            network,
            image,
            tau_syn_s=params.tau_syn_s,
            dt_s=params.dt_s,
            steps=params.steps,
            record=Record(neurons={index: range(network.layers[index].size) for index in network.populations}),
        )
        spikes[neuron] = {number: simulated.spikes[index][0] for number, index in enumerate(network.populations)}
        voltages[neuron] = simulated.voltages[network.populations[0]][0]
    recording.write(
        snakemake.output[0], recording.sample(spikes, voltages, tau_syn_s=params.tau_syn_s, dt_s=params.dt_s)
    )
