"""Images: the official archive, digits, and a user's own .npz with everything that can be wrong with it."""

import io
import tarfile

import numpy as np
import pytest

from csnn import data
from csnn.files import InputError

RNG = np.random.default_rng(0)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """Return an archive as CIFAR-10's, with two images in each file, and what it holds."""
    labels = RNG.integers(0, 10, (6, 2)).astype(np.uint8)
    pixels = RNG.integers(0, 256, (6, 2, 3, 32, 32)).astype(np.uint8)
    files = {f"data_batch_{i + 1}.bin": i for i in range(5)} | {"test_batch.bin": 5}
    path = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(path, "w:gz") as tar:

        def add(name, content):
            info = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))

        add("batches.meta.txt", b"airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n")
        for name, i in files.items():
            add(name, b"".join(bytes([labels[i, j]]) + pixels[i, j].tobytes() for j in range(2)))
    monkeypatch.setattr(data, "CIFAR10_SHA256", data.sha256(path))
    return path, labels, pixels


def test_cifar10_archive(archive):
    path, labels, pixels = archive
    dataset = data.read_cifar10(path)
    assert dataset.x_train.shape == (10, 32, 32, 3)
    np.testing.assert_array_equal(dataset.y_train, labels[:5].ravel())
    np.testing.assert_array_equal(dataset.y_test, labels[5])
    np.testing.assert_array_equal(dataset.x_test[1, :, :, 2], pixels[5, 1, 2])
    assert list(dataset.class_names)[6] == "frog"


def test_another_archive_is_refused(archive):
    path, *_ = archive
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="is not CIFAR-10's official binary archive: its SHA-256 is"):
        data.read_cifar10(path)
    with pytest.raises(InputError, match="does not exist; it should be CIFAR-10's official archive"):
        data.read_cifar10(path.parent / "absent.tar.gz")


def test_a_download_that_fails_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "CIFAR10_URL", "http://127.0.0.1:9/cifar-10-binary.tar.gz")
    with pytest.raises(InputError, match="could not be downloaded .* CSNN_CIFAR10"):
        data.download_cifar10(tmp_path / "archive.tar.gz")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("announced", "sent", "sentence"),
    [
        (15, b"not the archive", "could not be downloaded whole: what came has the SHA-256 .*, not .*; give the same"),
        (1000, b"only its begin", "could not be downloaded .* give the same command again"),
        (1000, b"", "could not be downloaded .* give the same command again"),
    ],
)
def test_a_download_that_ends_early_or_brings_something_else_is_refused(
    tmp_path, monkeypatch, announced, sent, sentence
):
    import http.server
    import threading

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(announced))
            self.end_headers()
            self.wfile.write(sent)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(data, "CIFAR10_URL", f"http://127.0.0.1:{server.server_port}/archive.tar.gz")
        with pytest.raises(InputError, match=sentence) as error:
            data.download_cifar10(tmp_path / "archive.tar.gz")
        server.shutdown()
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


def test_digits():
    dataset = data.read_digits()
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
    np.testing.assert_array_equal(data.read_digits().x_test, dataset.x_test)


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
    dataset = data.read_images(written(tmp_path))
    assert list(dataset.class_names) == ["0", "1", "2", "3"]
    assert data.pixels(dataset.x_test).max() <= 1
    named = data.read_images(written(tmp_path, class_names=np.array(["a", "b", "c", "d"])))
    assert list(named.class_names) == ["a", "b", "c", "d"]
    grey = data.read_images(
        written(
            tmp_path, x_train=RNG.random((20, 5, 6)), x_test=RNG.random((8, 5, 6)), y_test=np.zeros((8, 1), np.uint8)
        )
    )
    assert grey.x_train.shape == (20, 5, 6, 1)
    assert grey.x_train.dtype == np.float32
    assert grey.y_test.shape == (8,)


nan = RNG.random((8, 5, 6, 3))
nan[3, 2, 1, 0] = np.nan


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": None}, "has no x_test; it must hold x_train, y_train, x_test, y_test"),
        ({"x_test": np.zeros((8, 4, 6, 3), np.uint8)}, r"x_train are \(5, 6, 3\) and of x_test \(4, 6, 3\)"),
        ({"x_test": np.zeros((8, 30), np.uint8)}, r"x_test has shape \(8, 30\); it must be \(images, height"),
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
        data.read_images(written(tmp_path, **changes))


def test_damaged_files_are_refused(tmp_path):
    path = written(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="not a readable .npz file"):
        data.read_images(path)
    flipped = bytearray(content)
    flipped[len(content) // 3] ^= 1
    path.write_bytes(flipped)
    with pytest.raises(InputError, match="not a readable .npz file"):
        data.read_images(path)


def test_selection(tmp_path):
    dataset = data.read_images(written(tmp_path))
    chosen = data.select(dataset, "train", np.arange(3, 5))
    np.testing.assert_array_equal(chosen["images"], dataset.x_train[3:5].astype(np.float32) / np.float32(255))
    np.testing.assert_array_equal(chosen["labels"], [3, 0])
    with pytest.raises(InputError, match=r"the test set has 8 images, so image 9 \(from 0\) does not exist"):
        data.select(dataset, "test", np.arange(10))
