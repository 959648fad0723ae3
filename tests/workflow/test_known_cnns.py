"""Well-known CNNs, given as builders, through the whole workflow on digits."""

import pytest

from conftest import SMALL, Workflow, changed

BUILDERS = '''
from csnn.nengodl_compat import tf

L = tf.keras.layers


def convolution(signal, filters, size=3, strides=1):
    signal = L.Conv2D(filters, size, strides=strides, padding="same", use_bias=False)(signal)
    return L.BatchNormalization()(signal)


def residual(shape, classes, blocks, width):
    """He et al. 2016, for small images: three stages of blocks of two convolutions."""
    inputs = L.Input(shape)
    signal = L.ReLU()(convolution(inputs, width))
    for stage in range(3):
        for block in range(blocks):
            filters, strides = width * 2**stage, 2 if stage and not block else 1
            branch = convolution(L.ReLU()(convolution(signal, filters, strides=strides)), filters)
            shortcut = convolution(signal, filters, 1, strides) if strides > 1 else signal
            signal = L.ReLU()(L.Add()([branch, shortcut]))
    return tf.keras.Model(inputs, L.Dense(classes)(L.GlobalAveragePooling2D()(signal)))


def resnet8(shape, classes):
    return residual(shape, classes, 1, 4)


def resnet20(shape, classes):
    return residual(shape, classes, 3, 16)


def vgg11(shape, classes):
    """Simonyan and Zisserman 2015, configuration A with batch normalization."""
    inputs = signal = L.Input(shape)
    for filters, pools in ((64, 1), (128, 1), (256, 0), (256, 1), (512, 0), (512, 1), (512, 0), (512, 1)):
        signal = L.ReLU()(convolution(signal, filters))
        signal = L.MaxPooling2D(2)(signal) if pools else signal
    return tf.keras.Model(inputs, L.Dense(classes)(L.Flatten()(signal)))


def dense_blocks(shape, classes):
    """Huang et al. 2017, small: what a layer gives is read by all that follow, so sums become layers of their own."""
    inputs = L.Input(shape)
    signal = L.AveragePooling2D(4)(L.Conv2D(4, 3, padding="same")(inputs))
    for _ in range(3):
        branch = L.Conv2D(3, 3, padding="same")(L.ReLU()(L.BatchNormalization()(signal)))
        signal = L.Concatenate()([signal, branch])
    signal = L.ReLU()(L.BatchNormalization()(signal))
    return tf.keras.Model(inputs, L.Dense(classes)(L.GlobalAveragePooling2D()(signal)))
'''


TABLES = [f"results/small/tables/{table}.csv" for table in ("scores", "health")]


@pytest.mark.parametrize(
    ("name", "targets"),
    [("resnet8", TABLES), ("dense_blocks", TABLES)]
    + [pytest.param(name, ["results/small/report.html"], marks=pytest.mark.long) for name in ("resnet20", "vgg11")],
)
def test_a_known_cnn_runs_through(tmp_path, name, targets):
    (tmp_path / "known.py").write_text(BUILDERS)
    changes = {"cnn.architecture": {"builder": f"known.py:{name}"}, "snn.tau_syn_s": [0.005]}
    workflow = Workflow(tmp_path, config=changed(SMALL, changes))
    workflow.run(*targets)
    verified = {path.parts[-3] for path in workflow.results.glob("verification/*/*/tau-*.json")}
    assert verified == set(SMALL["snn"]["neurons"])
    assert all((tmp_path / target).exists() for target in targets)
