"""Convolutional spiking neural networks: a Keras CNN, converted with NengoDL and simulated exactly, event by event.

From a Keras model to the accuracy of a spiking network::

    import csnn

    network = csnn.convert(model, "LIF", tau_syn_s=0.005, max_rate_hz=415, seed=0)
    logits = csnn.simulate(network, images, steps=100).logits
    accuracy = (logits[:, -1].argmax(axis=1) == labels).mean()

`csnn.simulate_time_constants` simulates several synaptic time constants, which share what does not depend on them.
`csnn.verify` compares a network with NengoDL's own simulator; `csnn.save` and `csnn.load` keep a converted network in a
file, and `csnn.export_nir` writes it for other simulators and chips.

The workflow is made of the same functions. Nothing here knows of Snakemake; the scripts beside this package connect it
to the rules. Importing the package is cheap: what a function needs is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from csnn.event.network import save_network as save
    from csnn.event.simulator import Record, simulate, simulate_time_constants
    from csnn.nir_export import export_nir
    from csnn.spiking import convert, load, verify

__all__ = ["Record", "convert", "export_nir", "load", "save", "simulate", "simulate_time_constants", "verify"]

_HOMES = {
    "Record": "csnn.event.simulator.Record",
    "convert": "csnn.spiking.convert",
    "export_nir": "csnn.nir_export.export_nir",
    "load": "csnn.spiking.load",
    "save": "csnn.event.network.save_network",
    "simulate": "csnn.event.simulator.simulate",
    "simulate_time_constants": "csnn.event.simulator.simulate_time_constants",
    "verify": "csnn.spiking.verify",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].rpartition(".")
    return getattr(import_module(module), attribute)
