"""The keys of ``config.yaml``: type, default, range, unit and description of each, in pydantic models.

The defaults are the paper's experiment, so that a file of the user's own states only what differs. The JSON schema for
editors and ``docs/configuration.md`` are generated from these models (``make docs``).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import DictSchema, WithDefaultSchema
from typing_extensions import TypedDict

from csnn.data.corruptions import CORRUPTIONS, LEVELS
from csnn.data.sources import SOURCES
from csnn.neurons import NEURONS
from csnn.synapses import ALLOWED as SYNAPSES

LARGEST = 1_000_000
T = TypeVar("T")


def _from_text(value: Any) -> Any:
    """Read text as YAML would: ``--config snn='{steps: 50}'`` hands nested values over as text, YAML ``1e-9``."""
    if not isinstance(value, str):
        return value
    constants = {"null": None, "true": True, "false": False}
    if value.lower() in constants:
        return constants[value.lower()]
    for number in (int, float):
        try:
            return number(value)
        except ValueError:
            continue
    return value


def _null_from_text(value: Any) -> Any:
    return None if isinstance(value, str) and value.lower() == "null" else value


def _once(values: list) -> list:
    """Refuse a list that has a value twice."""
    if len(set(map(repr, values))) < len(values):
        raise ValueError("each value must stand in it once")
    return values


def _allowed(words: str) -> Any:
    """Say in words which values a type takes, where these do not follow from its constraints."""
    return Field(json_schema_extra={"allowed": words})


def _unit(unit: str) -> Any:
    return Field(json_schema_extra={"unit": unit})


OrNull = Annotated[T | None, BeforeValidator(_null_from_text)]
Different = Annotated[list[T], AfterValidator(_once), Field(json_schema_extra={"uniqueItems": True})]
_FROM_TEXT = BeforeValidator(_from_text)

Boolean = Annotated[bool, _FROM_TEXT]
Count = Annotated[int, Field(ge=1, le=LARGEST), _FROM_TEXT]
CountOrZero = Annotated[int, Field(ge=0, le=LARGEST), _FROM_TEXT]
Window = Annotated[int, Field(ge=2, le=LARGEST), _FROM_TEXT]
Seed = Annotated[int, Field(ge=0, le=2**32 - 1), _FROM_TEXT]
NengoSeed = Annotated[int, Field(ge=0, le=2**31 - 1), _FROM_TEXT]
FiniteNumber = Annotated[float, Field(allow_inf_nan=False), _FROM_TEXT]
Margin = Annotated[float, Field(ge=0, le=LARGEST), _FROM_TEXT]
LearningRate = Annotated[float, Field(gt=0, le=1000), _FROM_TEXT]
Coverage = Annotated[float, Field(gt=0, le=0.999), _FROM_TEXT]
Tolerance = Annotated[float, Field(gt=0, le=1), _FROM_TEXT]
RateHz = Annotated[float, Field(ge=0.001, le=LARGEST), _unit("Hz"), _FROM_TEXT]
TimeConstant = Annotated[float, Field(gt=0, le=1000), _unit("seconds"), _FROM_TEXT]
TimeStep = Annotated[float, Field(ge=1e-6, le=1), _unit("seconds"), _FROM_TEXT]
Path = Annotated[str, Field(min_length=1), _allowed("a path")]
Activation = Annotated[str, _allowed("relu or the name of a LIF neuron of snn.neurons")]
KerasFile = Annotated[str, Field(pattern=r"^.+\.(h5|hdf5|keras)$")]

Filters = Annotated[list[Count], Field(min_length=1), _allowed("a list of at least one integer")]
TimeConstants = Annotated[list[OrNull[TimeConstant]], Field(min_length=1)]
Seeds = Annotated[list[NengoSeed], Field(min_length=1)]
InitialVoltage = Literal["random", "zero", "half"]
Pooling = Literal["max", "average"]
Name = Annotated[
    str,
    Field(pattern="^[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9-])?$", max_length=100),
    _allowed(
        "a name of at most 100 letters, digits, dashes and underscores that begins with a letter or digit "
        "and does not end with an underscore"
    ),
]


_CONFIG = ConfigDict(extra="forbid", strict=True, json_schema_extra=lambda schema: schema.pop("title", None))


class Section(BaseModel):
    """A mapping of the configuration: known keys only, defaults for those that are left out."""

    model_config = _CONFIG


class RatesFromActivations(Section):
    """Maximal rates that a large activation of each layer sets."""

    percentile: Annotated[float, Field(gt=0, le=100), _FROM_TEXT] = Field(
        99.9, description="Which of a layer's activations above zero counts as large, on the first 500 training images."
    )
    hz: RateHz = Field(415, description="Firing rate, in Hz, of a neuron whose activation is that large.")


Rates = Annotated[
    RateHz | Annotated[list[RateHz], Field(min_length=1)] | RatesFromActivations,
    _allowed(
        f"a number from 0.001 to {LARGEST} in Hz, a list of one for each layer of neurons, or "
        "{percentile: ..., hz: ...}"
    ),
]


class DoubleExponential(Section):
    """A synapse that rises with one time constant and decays with another, `tau_syn_s`."""

    rise_s: TimeConstant = Field(description="Time constant of the rise, at most as long as tau_syn_s.")


Synapse = Annotated[Literal["lowpass", "alpha"] | DoubleExponential, _allowed(SYNAPSES)]


class Data(Section):
    """The images."""

    source: Annotated[str, _allowed(f"{', '.join(SOURCES)} or the path of an .npz file")] = Field(
        "cifar10",
        pattern=rf"^({'|'.join(SOURCES)}|.+\.npz)$",
        description="A public data set (downloaded once; scikit-learn brings digits), or the path of an .npz file with "
        "x_train, y_train, x_test, y_test and, if wanted, class_names (docs/data.md).",
    )
    archive: OrNull[Path] = Field(
        None,
        description="Where the official files of the public data set lie already: the file, or the folder of several; "
        "null: in data/, or for CIFAR-10 where the environment variable CSNN_CIFAR10 says.",
    )
    test_images: Count = Field(
        1000, description="How many images of the test set are shown to the spiking networks, from the first."
    )
    validation_images: CountOrZero = Field(
        0,
        description="How many images, the last of the training set, are kept out of all training, for choices to be "
        "made on (analyses: gap).",
    )


class Architecture(Section):
    """The paper's CNN by its sizes, or a builder of your own."""

    builder: OrNull[
        Annotated[str, Field(pattern=r"^.+\.py:[A-Za-z_][A-Za-z0-9_]*$"), _allowed("path/to/file.py:function")]
    ] = Field(
        None,
        description="path/to/file.py:function, a function of (input_shape, classes) that returns a Keras model; then "
        "the sizes below do not count. The file is run; it may import modules that lie beside it.",
    )
    filters: Filters = Field(
        [32, 64, 64], description="Number of filters of each convolution; pooling stands between two convolutions."
    )
    kernel: Count = Field(3, description="Height and width of the convolution kernels, in pixels.")
    pool: Count = Field(2, description="Height, width and stride of the pooling, in pixels.")
    pooling: Pooling = Field(
        "max", description="Kind of pooling while training; the conversion turns max pooling into average pooling."
    )
    dense_units: Count = Field(64, description="Number of units of the dense layer.")


class Training(Section):
    """How the CNN is trained (Adam, cross-entropy)."""

    epochs: Count = Field(10, description="Passes over the training set.")
    batch_size: Count = Field(32, description="Images per step of training.")
    seed: Seed = Field(0, description="Of the initial weights and of the order of the images.")


class ChangedArchitecture(TypedDict, total=False):
    """What changes, of pooling, dense_units, filters, kernel, pool; with a builder or cnn.model, the pooling only."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    filters: Annotated[Filters, Field(description="Number of filters of each convolution.")]
    kernel: Annotated[Count, Field(description="Height and width of the kernels, in pixels.")]
    pool: Annotated[Count, Field(description="Height, width and stride of the pooling, in pixels.")]
    pooling: Annotated[Pooling, Field(description="Kind of pooling.")]
    dense_units: Annotated[Count, Field(description="Units of the dense layer.")]


class Tuning(Section):
    """How it is trained then (Adam, cross-entropy, learning rate falling along a cosine)."""

    epochs: CountOrZero = Field(0, description="Passes over the images; 0 leaves the weights as they are.")
    images: OrNull[Count] = Field(
        None, description="How many images of the training set, from the first; null takes all."
    )
    batch_size: Count = Field(64, description="Images per step of training.")
    learning_rate: LearningRate = Field(0.001, description="Learning rate at the start.")
    mirror: Boolean = Field(
        False, description="Whether half of the images, chosen anew in each epoch, are mirrored left to right."
    )
    shift: CountOrZero = Field(
        0, description="By how many pixels at most each image is shifted along both axes, anew in each epoch."
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1), _FROM_TEXT] = Field(
        0.0, description="Part of each label that is spread evenly over all classes."
    )
    rate_hz: OrNull[RateHz] = Field(
        None,
        description="Firing rate, in Hz, to which the mean rate of each layer's neurons is drawn while it learns (a "
        "loss beside the cross-entropy); null leaves rates free.",
    )
    activation: Activation = Field(
        "relu",
        description="relu, or a LIF neuron of snn.neurons: then its rate curve at snn.max_rate_hz is the activation, "
        "and what is tuned is folded into weights that convert to that neuron.",
    )
    seed: Seed = Field(0, description="Of new weights and of the order of the images.")


class Calibration(Section):
    """How it is adapted to neurons then, from images without labels and by forward passes alone."""

    method: Literal["bias", "least-squares"] = Field(
        "least-squares",
        description="What is set, layer by layer, so that each reproduces what it puts out in the ReLU network: bias "
        "(of each output channel) or, by ridge regression, all weights (least-squares).",
    )
    neuron: Annotated[str, _allowed("a name of snn.neurons")] = Field(
        "LIF",
        description="The neuron of snn.neurons that it is adapted to: what is set is folded into weights that convert "
        "to that neuron at snn.max_rate_hz.",
    )
    images: Annotated[int, Field(ge=2, le=LARGEST), _FROM_TEXT] = Field(
        4000,
        description="How many images of the training set, from the first; the ridge is chosen on a fifth of them.",
    )


class Variant(Section):
    """A CNN made from another, or read with weights of its own."""

    origin: OrNull[Annotated[str, _allowed("base, the name of another variant,")]] = Field(
        "base",
        alias="from",
        description="What it is made from: base (the CNN of cnn.architecture), another variant, or null to start from "
        "new weights.",
    )
    architecture: ChangedArchitecture = ChangedArchitecture()
    weights: Annotated[OrNull[KerasFile], _allowed("the path of an .h5 or .keras file, or null")] = Field(
        None,
        description="A file of weights for its architecture, as cnn.weights takes, to load in place of those of the "
        "CNN that it is made from.",
    )
    activation: Activation = Field(
        "relu",
        description="What these weights were trained with: relu, or a LIF neuron of snn.neurons, whose rate curve at "
        "snn.max_rate_hz, rate(f x) / f, was the activation in place of each ReLU.",
    )
    tune: Tuning = Tuning()
    calibrate: OrNull[Calibration] = Field(
        None, description="Calibration to other neurons, behind tuning with ReLU; null leaves it out."
    )


class Cnn(Section):
    """The network that is trained and converted."""

    architecture: Architecture = Architecture()
    model: Annotated[OrNull[KerasFile], _allowed("the path of an .h5 or .keras file, or null")] = Field(
        None,
        description="A CNN that is trained already: a .keras or .h5 file that model.save of Keras 2 or 3 wrote. It "
        "brings architecture and weights; cnn.architecture and cnn.training then do not count. No code in it is run.",
    )
    weights: Annotated[OrNull[KerasFile], _allowed("the path of an .h5 or .keras file, or null to train")] = Field(
        None,
        description="An .h5, .weights.h5 or .keras file of weights for cnn.architecture, to load instead of training; "
        "null trains.",
    )
    training: Training = Training()
    variants: Annotated[
        dict[Name, Variant], _allowed("a mapping of names (letters, digits, dashes and underscores) to variants")
    ] = Field(
        {},
        description="Further CNNs by their name, each made from another: its architecture is changed, weights whose "
        "shapes still fit are kept, and what results is tuned or calibrated.",
    )


def _with_parameters(schema: dict[str, Any]) -> None:
    """Add the parameters of all neuron types to the JSON schema of a neuron; `neurons` holds and checks them."""
    schema.pop("title", None)
    for neuron in NEURONS.values():
        for name, parameter in neuron.parameters.items():
            described = {"description": parameter.description, "unit": parameter.unit, "allowed": parameter.allowed}
            schema["properties"].setdefault(name, {"type": "number", **described})


class Neuron(Section):
    """A neuron type's parameters."""

    model_config = ConfigDict(extra="allow", json_schema_extra=_with_parameters)
    __pydantic_extra__: dict[str, FiniteNumber]

    type: Annotated[str | None, _allowed("a neuron type")] = Field(
        None, description="Neuron type, where the name is another."
    )


class Row(TypedDict, total=False):
    """A row of the sweep; what it leaves out is as under snn, and the CNN is base."""

    __pydantic_config__ = _CONFIG  # type: ignore[misc]

    cnn: Annotated[
        list[Annotated[str, _allowed("base or the name of a variant")]],
        Field(min_length=1, description="CNNs to convert."),
        _allowed("a list of names of variants"),
    ]
    neurons: Annotated[
        list[Annotated[str, _allowed("a name of snn.neurons")]],
        Field(min_length=1, description="Neurons of snn.neurons."),
        _allowed("a list of names of snn.neurons"),
    ]
    max_rate_hz: Annotated[
        list[Rates], Field(min_length=1, description="Maximal rates, in Hz."), _allowed("a list of rates")
    ]
    initial_voltage: Annotated[
        list[InitialVoltage],
        Field(min_length=1, description="Membrane potentials at the start."),
        _allowed("a list of random, zero and half"),
    ]
    synapse: Annotated[
        list[Synapse],
        Field(min_length=1, description="Kinds of synapse."),
        _allowed(f"a list of {SYNAPSES}"),
    ]
    tau_syn_s: Annotated[TimeConstants, Field(description="Synaptic time constants, in seconds.")]
    seeds: Annotated[Seeds, Field(description="Seeds of the initial membrane potentials.")]


class Snn(Section):
    """The spiking networks; each neuron is combined with each time constant and each seed."""

    neurons: Annotated[dict[Name, OrNull[Neuron]], _allowed("a mapping of neuron types to their parameters")] = Field(
        {"RLR": {}, "SRL": {}, "LIF": {}, "A-LIF": {}},
        validate_default=True,
        description="Neuron types with their parameters (times in seconds); what is left out takes its default, a "
        "neuron that is left out or null is skipped. The types and their parameters are at the end of "
        "docs/configuration.md. A neuron of another name says its `type`, so that one type can stand there with "
        "several parameters.",
    )
    tau_syn_s: TimeConstants = Field(
        [0.005, 0.010, 0.015, 0.020], description="Synaptic time constants, in seconds; null for no filter."
    )
    synapse: Synapse = Field(
        "lowpass",
        description="Kind of synapse: lowpass (first order), alpha (two lowpasses of tau_syn_s in a row), or "
        "{rise_s: ...} (double exponential: rises with rise_s and decays with tau_syn_s).",
    )
    max_rate_hz: Rates = Field(
        415,
        validate_default=True,
        description="Firing rate of a neuron whose activation in the CNN is 1, in Hz; a list has one for each layer; "
        "percentile and hz set each layer's from its activations.",
    )
    initial_voltage: InitialVoltage = Field(
        "random",
        description="Membrane potentials at the start, in units of the threshold: random (uniform between 0 and 1, as "
        "Nengo does), zero or half.",
    )
    dt_s: TimeStep = Field(0.001, description="Time step, in seconds.")
    steps: Count = Field(100, description="Number of time steps for which an image is shown.")
    seeds: Seeds = Field([0], description="Seeds of the initial membrane potentials; the table gives their mean.")
    networks: Annotated[list[Row], _allowed("a list of at least one row")] = Field(
        [{}],
        min_length=1,
        description="The sweep as a table: each row crosses the lists that it names (cnn: variants, neurons, "
        "max_rate_hz, initial_voltage, synapse, tau_syn_s, seeds); what a row leaves out is as under snn, the CNN is "
        "base.",
    )


class Simulation(Section):
    """How the spiking networks are computed; in double precision nothing here changes a result."""

    engine: Literal["event", "nengo-dl"] = Field(
        "event", description="event (exact and fast) or nengo-dl (the reference)."
    )
    precision: Literal["double", "single"] = Field(
        "double", description="double, or single (NengoDL's own default; what the paper used)."
    )
    images_per_shard: Count = Field(
        250, description="Images that one job simulates; more than are shown make one job of all."
    )
    minibatch: Count = Field(25, description="Images that NengoDL simulates together (engine nengo-dl).")


class Verification(Section):
    """How the engine event is verified against NengoDL in double precision, for each configuration."""

    images: Count = Field(4, description="Number of images, from the first of the test set.")
    tolerance: Tolerance = Field(1e-9, description="Largest difference of a logit that is accepted.")


class Conformal(Section):
    """Decisions as early as a guarantee allows, by split conformal prediction on the validation images."""

    coverage: Coverage = Field(
        0.9, description="Share of images for which the classes that are left at the decision hold the true one."
    )


class Readouts(Section):
    """How decisions are read from the logits, beside the last step."""

    windows: Different[Window] = Field(
        [5, 10, 20, 50],
        description="Numbers of last steps over which logits are averaged; the default leaves out those that are "
        "longer than the run (snn.steps).",
    )
    margins: Different[Margin] = Field(
        [1, 2, 4],
        validate_default=True,
        description="By how much the largest logit must exceed the second largest for a decision before the last step.",
    )
    hold: Count = Field(5, description="For how many steps in a row it must do so.")
    conformal: Annotated[OrNull[Conformal], _allowed("{coverage: ...}, or null")] = Field(
        None,
        description="Decisions before the last step with a guarantee, calibrated on data.validation_images, which are "
        "simulated for it; null leaves them out.",
    )


class Activity(Section):
    """How activity and its cost are measured (analyses, activity)."""

    images: Count = Field(50, description="On how many images, from the first of those that are evaluated.")


_KINDS = ", ".join(CORRUPTIONS)


class Corruptions(Section):
    """What is disturbed, and how much (analyses, corruptions)."""

    kinds: Annotated[
        Different[Annotated[str, Field(pattern=f"^({'|'.join(CORRUPTIONS)})$"), _allowed(f"one of {_KINDS}")]],
        _allowed(f"a list of different ones of {_KINDS}"),
    ] = Field(list(CORRUPTIONS), description="Kinds of corruption of the images.")
    strengths: Different[Annotated[int, Field(ge=1, le=LEVELS), _FROM_TEXT]] = Field(
        [1, 2, 3, 4, 5], min_length=1, description="Levels of each, from the weakest (docs/analyses.md)."
    )
    images: Count = Field(
        500,
        description="How many of the test images, from the first; the default is at most as many as data.test_images.",
    )
    networks: OrNull[Annotated[list[str], Field(min_length=1), _allowed("a list of names of networks, or null")]] = (
        Field(None, description="Networks, as results/<experiment>/ names their folders; null takes all.")
    )
    tau_syn_s: OrNull[TimeConstants] = Field(
        None,
        description="Synaptic time constants, in seconds; null takes the first of each network. The analysis gap takes "
        "those that were chosen.",
    )
    weight_noise: Different[Annotated[float, Field(gt=0, le=1), _FROM_TEXT]] = Field(
        [0.01, 0.02, 0.05, 0.1, 0.2],
        description="Standard deviations of noise on the converted networks' weights, as shares of the largest weight "
        "of each connection.",
    )
    weight_bits: Different[Annotated[int, Field(ge=2, le=16), _FROM_TEXT]] = Field(
        [8, 6, 4], description="Numbers of bits to which the converted networks' weights are rounded."
    )
    seed: Seed = Field(0, description="Of all noise.")


class Cost(Section):
    """What spiking networks are compared with in what they cost (analyses, cost)."""

    bits: Different[Annotated[int, Field(ge=2, le=8), _FROM_TEXT]] = Field(
        [8, 4],
        min_length=1,
        description="Numbers of bits of the quantised CNNs: of each weight and activation, rounded after training.",
    )


class Tables(Section):
    """The tables."""

    compare_with_paper: OrNull[Boolean] = Field(
        None,
        description="Whether to set the paper's published numbers, which are of CIFAR-10, beside those of this "
        "experiment; null: where the data set is CIFAR-10.",
    )


class LogitImage(Section):
    """The image whose logits the figures show."""

    split: Literal["train", "test"] = Field("train", description="Of which set.")
    index: CountOrZero = Field(
        0, description="Its position in that set, from 0; the paper's frog is image 0 of the training set."
    )


class Figures(Section):
    """The figures."""

    logit_image: LogitImage = LogitImage()
    formats: Different[Literal["png", "svg", "pdf"]] = Field(
        ["png", "svg"], min_length=1, description="File formats of the figures."
    )


class Report(Section):
    """The HTML report."""

    show_images: Boolean = Field(
        False,
        description="Whether the report shows images of the data set; false leaves them out, so that it can be passed "
        "on where their licence does not allow that.",
    )


class Configuration(Section):
    """The experiment. The defaults are the paper's, so that a file of your own states only what differs."""

    experiment: Annotated[str, _allowed("a name of at most 100 letters, digits, dots, dashes and underscores")] = Field(
        "paper",
        pattern="^[A-Za-z0-9][A-Za-z0-9._-]*$",
        max_length=100,
        description="Name of the experiment; its results live under results/<experiment>/.",
    )
    data: Data = Data()
    cnn: Cnn = Cnn()
    snn: Snn = Snn()
    simulation: Simulation = Simulation()
    verification: Verification = Verification()
    analyses: Different[Literal["paper", "readouts", "claims", "activity", "gap", "corruptions", "cost"]] = Field(
        ["paper"],
        min_length=1,
        description="What is made of the sweep. paper: the paper's tables and figures. readouts: accuracy, latency and "
        "agreement with the CNN under every readout. claims: the paper's claims, tested. activity: firing rates, "
        "synaptic operations and energy. gap: time constants and readouts chosen on validation images, then reported "
        "once on the test images. corruptions: accuracy with disturbed images and weights. cost: accuracy, operations, "
        "energy and latency of CNNs, quantised CNNs and networks side by side.",
    )
    readouts: Readouts = Readouts()
    activity: Activity = Activity()
    corruptions: Corruptions = Corruptions()
    cost: Cost = Cost()
    tables: Tables = Tables()
    figures: Figures = Figures()
    report: Report = Report()


class _Generator(GenerateJsonSchema):
    """JSON schemas without titles, and with the pattern of a mapping's names where validators look for it."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def sort(self, value: JsonSchemaValue, parent_key: str | None = None) -> JsonSchemaValue:
        return value  # as written

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        is_section = isinstance(schema.get("default"), Section)
        return self.generate_inner(schema["schema"]) if is_section else super().default_schema(schema)

    def dict_schema(self, schema: DictSchema) -> JsonSchemaValue:
        described = super().dict_schema(schema)
        for pattern, values in described.pop("patternProperties", {}).items():
            described |= {"additionalProperties": values}
            described["propertyNames"] |= {"pattern": pattern}
        return described


@functools.cache
def json_schema() -> Mapping[str, Any]:
    """Return the JSON schema of a configuration; `words` says in words which values a part of it takes."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Configuration.model_json_schema(schema_generator=_Generator),
    }


def alternatives(part: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the schemas of which a value must fit one, with references resolved."""
    if "$ref" in part:
        part = json_schema()["$defs"][part["$ref"].rpartition("/")[2]] | {k: v for k, v in part.items() if k != "$ref"}
    return (
        [alternative for option in part["anyOf"] for alternative in alternatives(option)] if "anyOf" in part else [part]
    )


def below(part: Mapping[str, Any], key: str | int) -> Mapping[str, Any]:
    """Return the schema of what lies under a key, or an index, of a mapping or list; empty if there is none."""
    for alternative in alternatives(part):
        described = alternative.get("items") if isinstance(key, int) else alternative.get("properties", {}).get(key)
        described = described or (alternative.get("additionalProperties") if isinstance(key, str) else None)
        if described:
            return described
    return {}


def words(part: Mapping[str, Any]) -> str:
    """Say in words which values a part of the JSON schema takes: "an integer from 1 to 1000000"."""
    if "allowed" in part:
        return part["allowed"]
    options = alternatives(part)
    if len(options) > 1:
        return " or ".join(map(words, options))
    part = options[0]
    if "enum" in part:
        return listed(part["enum"], "or")
    if part["type"] == "array":
        items = part["items"]
        if "enum" in items:
            return f"a list of different ones of {listed(items['enum'], 'and')}"
        plural = re.sub(r"^an? (\w+)", r"\1s", words(items))
        return f"a list of {'different ' * ('uniqueItems' in part)}{plural}"
    if part["type"] in ("integer", "number"):
        if "maximum" not in part:
            return "a number"
        article = "an integer" if part["type"] == "integer" else "a number"
        if "minimum" in part:
            limits = f"from {_plain(part['minimum'])} to {_plain(part['maximum'])}"
        else:
            limits = f"above {_plain(part['exclusiveMinimum'])} and at most {_plain(part['maximum'])}"
        return f"{article} {limits}" + (f" in {part['unit']}" if "unit" in part else "")
    return {"boolean": "true or false", "null": "null", "object": "a mapping"}[part["type"]]


def listed(values: list, conjunction: str) -> str:
    """Join values as a sentence does: "png, svg or pdf"."""
    *others, last = values
    return f"{', '.join(others)} {conjunction} {last}" if others else str(last)


def _plain(number: float) -> str:
    """Write a number without exponent."""
    return f"{number:f}".rstrip("0").rstrip(".") if isinstance(number, float) else str(number)
