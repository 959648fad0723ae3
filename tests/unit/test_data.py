"""Data sets: the public ones in their official formats, and a user's own .npz with everything that can be wrong."""

import gzip
import http.server
import io
import re
import struct
import tarfile
import threading
import zipfile

import numpy as np
import pytest
import scipy.io

from conftest import REPOSITORY
from csnn.data import images, sources
from csnn.files import InputError, sha256

RNG = np.random.default_rng(0)
TRAIN, TEST = 6, 4  # images of the small archives


def some(number, shape, classes=10):
    """Return random images (n, height, width, channels) and labels, as the official files hold them."""
    return RNG.integers(0, 256, (number, *shape)).astype(np.uint8), RNG.integers(0, classes, number).astype(np.uint8)


def write_tar(path, members):
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def records(x, y, *others):
    """Return records of labels, then pixels, one channel after another."""
    return b"".join(bytes([*(other[i] for other in others), y[i]]) + x[i].tobytes("F") for i in range(len(x)))


def transposed(x):
    """Return images whose Fortran order is channel by channel and row by row."""
    return x.transpose(0, 2, 1, 3)


def cifar10(folder, train, test):
    content = {"batches.meta.txt": b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n"}
    for i in range(5):
        content[f"data_batch_{i + 1}.bin"] = records(transposed(train[0])[i : i + 1], train[1][i : i + 1])
    content["data_batch_5.bin"] += records(transposed(train[0])[5:], train[1][5:])
    content["test_batch.bin"] = records(transposed(test[0]), test[1])
    write_tar(folder / "cifar-10-binary.tar.gz", {f"cifar-10-batches-bin/{name}": content[name] for name in content})


def cifar100(folder, train, test):
    names = "\n".join(f"class{i}" for i in range(100)) + "\n"
    content = {"fine_label_names.txt": names.encode(), "coarse_label_names.txt": b"coarse\n" * 20}
    for name, (x, y) in {"train": train, "test": test}.items():
        content[f"{name}.bin"] = records(transposed(x), y, np.full(len(y), 7))
    write_tar(folder / "cifar-100-binary.tar.gz", {f"cifar-100-binary/{name}": content[name] for name in content})


def mnist(folder, train, test):
    for name, (x, y) in {"train": train, "t10k": test}.items():
        sizes = struct.pack(">IIII", 0x803, *x.shape[:3])
        (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(sizes + x.tobytes()))
        sizes = struct.pack(">II", 0x801, len(y))
        (folder / f"{name}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(sizes + y.tobytes()))


def svhn(folder, train, test):
    for name, (x, y) in {"train": train, "test": test}.items():
        labels = np.where(y == 0, 10, y)[:, np.newaxis]
        scipy.io.savemat(folder / f"{name}_32x32.mat", {"X": x.transpose(1, 2, 3, 0), "y": labels})


WRITERS = {"cifar10": cifar10, "cifar100": cifar100, "svhn_cropped": svhn}


@pytest.fixture(params=[source for source in sources.SOURCES if source != "digits"])
def official(request, tmp_path, monkeypatch):
    """Return a source, the paths of small files in its format, which pass for the official ones, and their content."""
    source = request.param
    folder = tmp_path / "data" / source
    folder.mkdir(parents=True)
    known = sources.SOURCES[source]
    content = some(TRAIN, known.shape), some(TEST, known.shape)
    WRITERS.get(source, mnist)(folder, *content)
    paths = [folder / file.rpartition("/")[2] for file in known.files]
    files = {file: sha256(path) for file, path in zip(known.files, paths, strict=True)}
    monkeypatch.setitem(sources.SOURCES, source, known._replace(files=files))
    return source, paths, content


def test_each_public_data_set_is_read_as_it_was_written(official):
    source, paths, ((x_train, y_train), (x_test, y_test)) = official
    dataset = sources.read(source, paths)
    np.testing.assert_array_equal(dataset.x_train, x_train)
    np.testing.assert_array_equal(dataset.y_train, y_train)
    np.testing.assert_array_equal(dataset.x_test, x_test)
    np.testing.assert_array_equal(dataset.y_test, y_test)
    assert (dataset.x_train.dtype, dataset.y_train.dtype) == (np.uint8, np.int64)
    assert len(dataset.class_names) == (100 if source == "cifar100" else 10)


def test_files_that_are_not_the_official_ones_are_refused(official):
    source, paths, _ = official
    for path in paths:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(InputError, match=rf"{path} is not .*'s official file {path.name}: its SHA-256 is") as error:
            sources.read(source, paths)
        assert "delete" not in str(error.value)
        path.unlink()
        with pytest.raises(InputError, match=rf"{path} does not exist; it must be .*'s official file {path.name}"):
            sources.read(source, paths)
        path.write_bytes(content)


def test_files_that_were_brought_are_found(official, tmp_path, monkeypatch):
    source, paths, _ = official
    files = list(sources.SOURCES[source].files)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in paths:
        path.rename(elsewhere / path.name)
    monkeypatch.chdir(tmp_path)
    assert sources.brought(source, None) == {}
    assert list(sources.brought(source, str(elsewhere)).values()) == [elsewhere / path.name for path in paths]
    if len(files) == 1:
        assert sources.brought(source, str(elsewhere / paths[0].name)) == {files[0]: elsewhere / paths[0].name}
    there = tmp_path / "data" / files[0]
    there.parent.mkdir(exist_ok=True)
    (elsewhere / paths[0].name).rename(there)
    assert sources.brought(source, None) == {files[0]: there.relative_to(tmp_path)}
    assert sources.files_of(source, None) == [f"data/{files[0]}", *(f"data/downloads/{file}" for file in files[1:])]
    assert {sources.source_of(file) for file in files} == {source}


@pytest.mark.network
@pytest.mark.parametrize("source", sources.SOURCES)
def test_the_official_files_are_downloaded_and_read(source, tmp_path):
    known, paths = sources.SOURCES[source], []
    for file in known.files:
        paths.append(tmp_path / file)
        sources.download(source, file, paths[-1])
    dataset = sources.read(source, paths)
    assert dataset.x_train.shape == (known.train, *known.shape)
    assert dataset.x_test.shape == (known.test, *known.shape)
    assert set(dataset.y_test) == set(range(len(dataset.class_names)))


def test_a_download_that_fails_says_what_to_do(tmp_path, monkeypatch):
    address = "http://127.0.0.1:9/"
    monkeypatch.setitem(sources.SOURCES, "mnist", sources.SOURCES["mnist"]._replace(addresses=(address, address)))
    file = "mnist/t10k-labels-idx1-ubyte.gz"
    with pytest.raises(
        InputError, match=rf"MNIST could not be downloaded \(.*; .*\); .* bring the file .* data/{file}"
    ):
        sources.download("mnist", file, tmp_path / "labels.gz")
    assert not list(tmp_path.iterdir())


@pytest.fixture
def server(monkeypatch):
    """Return a function that lets an address announce and send content in the place of CIFAR-10's archive."""
    servers = []

    def serve(announced, sent):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(announced))
                self.end_headers()
                self.wfile.write(sent)

        servers.append(http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/"

    yield serve
    for one in servers:
        one.shutdown()
        one.server_close()


@pytest.mark.parametrize(
    ("announced", "sent", "sentence"),
    [
        (
            15,
            b"not the archive",
            "CIFAR-10 could not be downloaded .* what came has the SHA-256 .*, not .*; give",
        ),
        (1000, b"only its begin", "CIFAR-10 could not be downloaded .* give the same command again"),
        (1000, b"", "CIFAR-10 could not be downloaded .* give the same command again"),
    ],
)
def test_a_download_that_ends_early_or_brings_something_else_is_refused(
    tmp_path, monkeypatch, server, announced, sent, sentence
):
    address = server(announced, sent)
    monkeypatch.setitem(sources.SOURCES, "cifar10", sources.SOURCES["cifar10"]._replace(addresses=(address,)))
    with pytest.raises(InputError, match=sentence) as error:
        sources.download("cifar10", "cifar-10-binary.tar.gz", tmp_path / "archive.tar.gz")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_a_mirror_is_asked_where_the_official_address_fails(tmp_path, monkeypatch, server):
    known = sources.SOURCES["cifar10"]
    (tmp_path / "content").write_bytes(b"content")
    known = known._replace(
        addresses=(server(7, b"another"), server(7, b"content")),
        files={"cifar-10-binary.tar.gz": sha256(tmp_path / "content")},
    )
    monkeypatch.setitem(sources.SOURCES, "cifar10", known)
    sources.download("cifar10", "cifar-10-binary.tar.gz", tmp_path / "archive.tar.gz")
    assert (tmp_path / "archive.tar.gz").read_bytes() == b"content"


def test_digits():
    dataset = sources.read("digits", [])
    assert dataset.x_train.shape == (1297, 32, 32, 3)
    assert dataset.x_test.shape == (500, 32, 32, 3)
    assert dataset.x_train.min() == 0
    assert dataset.x_train.max() == 1
    assert set(dataset.y_test) == set(range(10))
    # every pixel of the original became 4 x 4: their mean stays
    from sklearn.datasets import load_digits

    means = np.sort(load_digits().images.mean((1, 2)) / 16)
    ours = np.sort(np.concatenate([dataset.x_train, dataset.x_test]).mean((1, 2, 3)))
    np.testing.assert_allclose(ours, means, atol=0.02)
    np.testing.assert_array_equal(sources.read("digits", []).x_test, dataset.x_test)


def test_prepared_data_sets_are_read_as_the_one_that_they_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, identity = images.PREPARED / "digits.npz", sources.identity("digits")
    dataset = sources.read("digits", [])
    images.write_images(path, dataset, identity)
    np.testing.assert_array_equal(images.read_images(path, identity).x_test, dataset.x_test)
    with pytest.raises(InputError, match="data/prepared/digits.npz is another data set than belongs here; delete it"):
        images.read_images(path, sources.identity("mnist"))


def arrays(**changes):
    """Return the arrays of a good file, some of them changed; None removes one."""
    good = {
        "x_train": RNG.integers(0, 256, (20, 5, 6, 3)).astype(np.uint8),
        "y_train": np.arange(20) % 4,
        "x_test": RNG.integers(0, 256, (8, 5, 6, 3)).astype(np.uint8),
        "y_test": np.arange(8) % 4,
    }
    return {key: value for key, value in (good | changes).items() if value is not None}


def written(tmp_path, **changes):
    path = tmp_path / "mine.npz"
    np.savez(path, **arrays(**changes))
    return path


def test_own_images(tmp_path):
    dataset = images.read_images(written(tmp_path))
    assert list(dataset.class_names) == ["0", "1", "2", "3"]
    assert images.pixels(dataset.x_test).max() <= 1
    named = images.read_images(written(tmp_path, class_names=np.array(["a", "b", "c", "d"])))
    assert list(named.class_names) == ["a", "b", "c", "d"]
    with pytest.raises(InputError, match="was changed after this run had been planned; give the same command again"):
        images.read_images(written(tmp_path), "sha256:0")


@pytest.mark.parametrize(
    ("shape", "read_as"),
    [((28, 28), (28, 28, 1)), ((64, 3), (64, 3)), ((3, 64), (3, 64)), ((7,), (7,)), ((4, 5, 6, 2), (4, 5, 6, 2))],
    ids=["grey images", "series", "short series", "vectors", "volumes"],
)
def test_images_of_any_rank(tmp_path, shape, read_as):
    path = written(
        tmp_path, x_train=RNG.random((20, *shape)), x_test=RNG.random((8, *shape)), y_test=np.zeros((8, 1), np.uint8)
    )
    dataset = images.read_images(path)
    assert dataset.x_train.shape == (20, *read_as)
    assert dataset.x_train.dtype == np.float32
    assert dataset.y_test.shape == (8,)
    overview = images.examine(path)
    assert overview[:4] == (20, 8, read_as, 4) and overview.warnings == ()
    assert images.select(dataset, "test", np.arange(3))["images"].shape == (3, *read_as)


@pytest.mark.parametrize(
    ("shape", "scale", "warning"),
    [
        ((3, 32, 32), 1, r"images are \(3, 32, 32\), which looks like PyTorch's order .* x.transpose\(0, 2, 3, 1\)"),
        ((1, 28, 20), 1, r"images are \(1, 28, 20\), which looks like PyTorch's order"),
        (
            (8, 8, 1),
            255,
            "images are floats up to 25.*; if its input is 0 to 1, divide them by 255, or save them",
        ),
        ((3, 1200, 1), 1, None),
        ((64, 3), 3, None),
    ],
)
def test_probable_mistakes_are_named(tmp_path, shape, scale, warning):
    x_train, x_test = (scale * RNG.random((n, *shape)) for n in (20, 8))
    found = images.examine(written(tmp_path, x_train=x_train, x_test=x_test)).warnings
    assert len(found) == (warning is not None)
    if warning:
        assert re.search(warning, found[0])


def test_a_test_set_that_is_sorted_by_class_is_named(tmp_path):
    path = str(written(tmp_path, y_test=np.sort(np.arange(8) % 4)))
    (warning,) = sources.warnings(path, 4)
    assert "the first 4 test images lack 2 of the 4 classes (2, 3); shuffle a test set" in warning
    assert list(sources.warnings(path, 8)) == []
    assert list(sources.warnings(str(written(tmp_path)), 4)) == []
    assert list(sources.warnings("mnist", 4)) == []


def test_the_docs_name_every_public_data_set_with_its_licence_and_files():
    page = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
    for name, source in sources.SOURCES.items():
        (line,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        size = f"{source.train} and {source.test}, {'x'.join(map(str, source.shape))}"
        for words in (source.title, source.licence, size, *source.addresses):
            assert words in line
        for file in source.files:
            assert file.rpartition("/")[2] in line or "the same four names" in line


@pytest.mark.parametrize("brighter", ["x_train", "x_test"])
def test_images_that_were_not_scaled_alike_are_refused(tmp_path, brighter):
    arrays = {"x_train": RNG.random((20, 5, 6, 3)), "x_test": RNG.random((8, 5, 6, 3))}
    arrays[brighter] *= 255
    with pytest.raises(InputError, match="values of x_train are .* and of x_test .*; both must be scaled alike"):
        images.read_images(written(tmp_path, **arrays))


nan = RNG.random((8, 5, 6, 3))
nan[3, 2, 1, 0] = np.nan


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "has no x_test; it must hold x_train, y_train, x_test, y_test"),
        ({"x_test": np.zeros((8, 4, 6, 3), np.uint8)}, r"x_train are \(5, 6, 3\) and of x_test \(4, 6, 3\)"),
        ({"x_test": np.zeros(8, np.uint8)}, r"x_test has shape \(8,\); it must be \(images, height"),
        ({"x_test": np.zeros((0, 5, 6, 3), np.uint8)}, r"x_test has shape \(0, 5, 6, 3\)"),
        ({"x_test": np.zeros((8, 5, 6, 3), np.int32)}, "x_test is int32; images must be uint8"),
        ({"x_test": np.zeros((8, 5, 6, 3))}, "x_train is uint8 and x_test float64; both must be uint8, or both float"),
        ({"x_test": nan, "x_train": np.zeros((20, 5, 6, 3))}, "x_test has pixels that are NaN"),
        ({"y_test": np.zeros(7, int)}, r"y_test has shape \(7,\); it must be \(8,\)"),
        ({"y_test": np.zeros(8)}, "y_test is float64; labels must be integers"),
        ({"y_test": np.full(8, -1)}, "y_test has the label -1"),
        ({"y_test": np.full(8, 9)}, "y_train has no image of class '4'"),
        ({"class_names": np.array(["a", "b"])}, "it must name each of the 4 classes"),
        ({"y_train": np.arange(20) % 3}, "y_train has no image of class '3'"),
        ({"x_train": np.array([{"an": "object"}])}, "not a readable .npz file"),
    ],
)
def test_wrong_images_are_refused(tmp_path, changes, message):
    with pytest.raises(InputError, match=message):
        images.read_images(written(tmp_path, **changes))


@pytest.mark.parametrize("changes", [{}, {"x_test": None}, {"x_test": nan, "x_train": np.zeros((20, 5, 6, 3))}])
def test_before_a_run_the_same_is_refused(tmp_path, changes):
    path = written(tmp_path, **changes)
    if not changes:
        assert images.examine(path).shape == (5, 6, 3)
        return
    with pytest.raises(InputError) as error:
        images.read_images(path)
    with pytest.raises(InputError) as before:
        images.examine(path)
    assert str(before.value) == str(error.value)


def encrypted(content):
    """Set the flag of encryption in the headers of each file of a zip archive."""
    content = bytearray(content)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = content.find(signature)
        while position >= 0:
            content[position + offset] |= 1
            position = content.find(signature, position + 1)
    return bytes(content)


def torn(content):
    """Damage the header of the first array."""
    return content.replace(b"'shape': (", b"'shape': ((", 1)


def damaged(content):
    """Damage the compressed stream of the first array."""
    return content[:60] + bytes(255 - byte for byte in content[60:90]) + content[90:]


@pytest.mark.parametrize(
    ("damage", "compressed"),
    [(encrypted, True), (encrypted, False), (torn, False), (damaged, True), (lambda c: c[: len(c) // 2], True)],
    ids=["encrypted", "encrypted, not compressed", "torn header", "damaged stream", "cut"],
)
@pytest.mark.parametrize("read", [images.read_images, images.examine])
def test_damage_of_any_kind_is_one_sentence(tmp_path, damage, compressed, read):
    path = tmp_path / "mine.npz"
    (np.savez_compressed if compressed else np.savez)(path, **arrays())
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(InputError, match=f"{path} is not a readable .npz file") as error:
        read(path)
    assert "\n" not in str(error.value)
    assert "delete" not in str(error.value)


def test_a_header_that_claims_more_than_there_is_takes_no_memory(tmp_path):
    np.savez(tmp_path / "mine.npz", **{name: array for name, array in arrays().items() if name != "x_train"})
    with zipfile.ZipFile(tmp_path / "mine.npz", "a") as archive, archive.open("x_train.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": (10**12, 5, 6, 3)}
        np.lib.format.write_array_header_1_0(member, header)
    with pytest.raises(InputError, match="not a readable .npz file .x_train.npy is not as long as its header says"):
        images.examine(tmp_path / "mine.npz")


def test_damaged_files_are_refused(tmp_path):
    path = written(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a readable .npz file"):
        images.read_images(path)
    flipped = bytearray(content)
    flipped[len(content) // 3] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(InputError, match="not a readable .npz file"):
        images.read_images(path)


def test_selection(tmp_path):
    dataset = images.read_images(written(tmp_path))
    chosen = images.select(dataset, "train", np.arange(3, 5))
    np.testing.assert_array_equal(chosen["images"], dataset.x_train[3:5].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(chosen["labels"], [3, 0])
    with pytest.raises(InputError, match=r"the test set has 8 images, so image 9 \(from 0\) does not exist"):
        images.select(dataset, "test", np.arange(10))
