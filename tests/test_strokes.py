"""The stroke digits: their bytes, their statistics, and the swap with MNIST."""

import functools
import gzip
import hashlib
import http.server
import inspect
import socketserver
import struct
import subprocess
import sys
import threading
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

import strokes
from strokes import StrokeDigits, draw, load

FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte",
         "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]


def idx(array, kind=0x08):
    """The bytes of an array in MNIST's idx format; kind 0x08 is uint8."""
    return (struct.pack(f">I{array.ndim}I", kind * 256 + array.ndim, *array.shape)
            + array.tobytes())


@pytest.fixture
def pictures():
    """The four arrays of a tiny MNIST, by file name: 20 pictures to train, 10 to test."""
    rng = np.random.default_rng(0)
    return {name: rng.integers(0, 256 if "images" in name else 10,
                               (n, 28, 28) if "images" in name else n).astype(np.uint8)
            for name, n in zip(FILES, (20, 20, 10, 10), strict=True)}


@pytest.fixture(params=["MNIST", "FashionMNIST"])
def name(request):
    """The dataset that torchvision reads."""
    return request.param


@pytest.fixture
def raw(tmp_path, pictures, name):
    """A folder that torchvision takes for the dataset's own."""
    folder = tmp_path / name / "raw"
    folder.mkdir(parents=True)
    for file, array in pictures.items():
        (folder / file).write_bytes(idx(array))
    return folder


@pytest.fixture
def mirror(tmp_path, pictures, monkeypatch, name):
    """A web server on this computer that offers the dataset's four archives."""
    site = tmp_path / "site"
    site.mkdir()
    resources, asked = [], []
    for file, array in pictures.items():
        archive = gzip.compress(idx(array))
        (site / f"{file}.gz").write_bytes(archive)
        resources.append((f"{file}.gz", hashlib.md5(archive).hexdigest()))

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            asked.append(self.path)

    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Handler, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    kind = getattr(datasets, name)
    monkeypatch.setattr(kind, "mirrors", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setattr(kind, "resources", resources)
    yield SimpleNamespace(site=site, asked=asked)
    server.shutdown()
    server.server_close()


def one_line(error):
    """The message of a caught error, after checking that it is one line."""
    message = str(error.value)
    assert message and "\n" not in message
    return message


# The bytes and what they look like


def test_bytes_are_pinned():
    """The default pictures and labels have the bytes that the book's numbers rest on."""
    pixels, labels = draw()
    assert (pixels.dtype, pixels.shape) == (np.uint8, (5000, 28, 28))
    assert (labels.dtype, labels.shape) == (np.int64, (5000,))
    digest = hashlib.sha256(pixels.tobytes() + labels.tobytes()).hexdigest()
    assert digest == "2ab02e1d16814173a13985e76f723f6737d7c9fa47272017a558321547eec0fa"


def test_statistics_are_near_mnists():
    """MNIST's training pixels have mean 0.1307 and standard deviation 0.3081."""
    pixels = draw()[0] / 255
    assert abs(pixels.mean() - 0.1307) < 0.02
    assert abs(pixels.std() - 0.3081) < 0.02
    assert abs(pixels.mean() - strokes.MEAN) < 0.02
    assert abs(pixels.std() - strokes.STD) < 0.02


@pytest.mark.parametrize("train", [True, False])
def test_classes_are_balanced(train):
    """Each of the ten digits makes up a tenth of a split, give or take a third of that."""
    targets = StrokeDigits(train=train).targets
    share = torch.bincount(targets, minlength=10) / len(targets)
    assert share.min() > 0.067 and share.max() < 0.133


def test_digits_stay_inside_the_picture():
    """The outermost ring of pixels holds hardly any ink."""
    pixels = draw()[0] / 255
    ring = pixels.copy()
    ring[:, 1:-1, 1:-1] = 0
    assert ring.sum() < 0.01 * pixels.sum()
    assert (pixels.sum((1, 2)) > 20).all()


def test_a_linear_model_leaves_head_room():
    """Logistic regression gets most test digits right and about a quarter wrong."""
    x_train, y_train, x_test, y_test = load()
    x_train, x_test = x_train.flatten(1), x_test.flatten(1)
    weight = torch.zeros(784, 10, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.Adam([weight], lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        F.cross_entropy(x_train @ weight, y_train).backward()
        optimizer.step()
    accuracy = ((x_test @ weight).argmax(1) == y_test).double().mean().item()
    assert 0.65 < accuracy < 0.80


@settings(max_examples=25, deadline=None)
@given(n=st.integers(0, 30), seed=st.integers(0, 9), level=st.floats(0, 3))
def test_any_drawing_repeats(n, seed, level):
    """Any number, seed and level give digits, and the same ones when drawn afresh."""
    pixels, labels = draw.__wrapped__(n, seed, level)
    assert pixels.shape == (n, 28, 28) and pixels.dtype == np.uint8
    assert labels.shape == (n,) and np.isin(labels, range(10)).all()
    again = draw.__wrapped__(n, seed, level)
    assert pixels.tobytes() == again[0].tobytes() and labels.tobytes() == again[1].tobytes()


def test_seed_and_level_matter():
    """Another seed or another level gives other pictures."""
    first, _ = draw(20)
    assert (first != draw(20, seed=1)[0]).any()
    assert (first != draw(20, level=1.0)[0]).any()


@pytest.mark.parametrize("wrong", [{"n": -1}, {"level": -0.1}])
def test_negative_arguments_are_named(wrong):
    """A negative number of pictures or a negative level is refused."""
    with pytest.raises(ValueError) as error:
        draw(**wrong)
    assert str(*wrong.values()) in one_line(error)


# The dataset


def test_splits_are_the_first_and_the_last_pictures():
    """The first 4,000 pictures train, the last 1,000 test, none does both."""
    pixels, labels = draw()
    train, test = StrokeDigits(), StrokeDigits(train=False)
    assert (len(train), len(test)) == (4000, 1000)
    assert (train.data.numpy() == pixels[:4000]).all()
    assert (test.data.numpy() == pixels[4000:]).all()
    assert (train.targets.numpy() == labels[:4000]).all()
    assert (test.targets.numpy() == labels[4000:]).all()


def test_a_reader_may_change_a_copy():
    """Writing into one dataset changes neither the next dataset nor the kept drawing."""
    spoiled = StrokeDigits()
    spoiled.data.zero_()
    spoiled.targets.zero_()
    test_bytes_are_pinned()
    assert StrokeDigits().data.any() and StrokeDigits().targets.any()
    with pytest.raises(ValueError, match="read-only"):
        draw()[0][0] = 0


def test_nothing_is_written(tmp_path):
    """Root and download are accepted, and the root stays untouched."""
    dataset = StrokeDigits(tmp_path / "data", download=True)
    assert len(dataset) == 4000
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("train", [True, False])
def test_arguments_and_attributes_are_mnists(raw, name, train):
    """The two classes take the same arguments and show the same attributes."""
    mine = StrokeDigits(raw.parents[1], train)
    theirs = getattr(datasets, name)(raw.parents[1], train)
    arguments = [list(inspect.signature(type(d)).parameters) for d in (mine, theirs)]
    assert arguments[0] == arguments[1]
    assert (mine.data.dtype, mine.data.shape[1:]) == (theirs.data.dtype, theirs.data.shape[1:])
    assert mine.targets.dtype == theirs.targets.dtype
    assert mine.train is theirs.train
    assert list(mine.class_to_idx.values()) == list(theirs.class_to_idx.values())
    assert mine.classes == datasets.MNIST.classes
    expected = repr(theirs).replace(name, "StrokeDigits")
    assert repr(mine) == expected.replace(f"points: {len(theirs)}", f"points: {len(mine)}")


@pytest.mark.parametrize("train", [True, False])
def test_mnist_takes_its_place(raw, name, train):
    """One program, with transforms, loader and workers, runs on either dataset."""
    def batches(dataset):
        transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize(0.13, 0.31)])
        pictures = dataset(raw.parents[1], train, transform, lambda label: 9 - label)
        assert isinstance(pictures[0][1], int)
        return list(DataLoader(pictures, batch_size=4, num_workers=1))[:2]

    mine, theirs = batches(StrokeDigits), batches(getattr(datasets, name))
    for (x, y), (x_mnist, y_mnist) in zip(mine, theirs, strict=True):
        assert (x.dtype, x.shape) == (x_mnist.dtype, x_mnist.shape) == (
            torch.float32, (4, 1, 28, 28))
        assert (y.dtype, y.shape) == (y_mnist.dtype, y_mnist.shape) == (torch.int64, (4,))
    original = StrokeDigits(train=train)
    torch.testing.assert_close(mine[0][0][0, 0] * 0.31 + 0.13, original.data[0] / 255)
    assert mine[0][1].tolist() == [9 - t for t in original.targets[:4].tolist()]


def test_an_item_is_a_picture_and_an_int(raw, name):
    """Without transforms an item is a grey PIL image of the stored pixels and an int."""
    for dataset in (StrokeDigits(), getattr(datasets, name)(raw.parents[1])):
        image, target = dataset[-1]
        assert (image.mode, image.size, type(target)) == ("L", (28, 28), int)
        assert (np.asarray(image) == dataset.data[-1].numpy()).all()
        assert target == dataset.targets[-1]


# Normalized tensors


def test_load_normalizes_with_fixed_constants():
    """x is (pixel / 255 - 0.13) / 0.31 in float64, of shape (N, 1, 28, 28)."""
    x_train, y_train, x_test, y_test = load()
    pixels, labels = draw()
    assert (x_train.shape, x_test.shape) == ((4000, 1, 28, 28), (1000, 1, 28, 28))
    assert x_train.dtype == x_test.dtype == torch.float64
    assert y_train.dtype == y_test.dtype == torch.int64
    np.testing.assert_allclose(x_train[:, 0].numpy(), (pixels[:4000] / 255 - .13) / .31, 1e-12)
    np.testing.assert_allclose(x_test[:, 0].numpy(), (pixels[4000:] / 255 - .13) / .31, 1e-12)
    assert (y_train.numpy() == labels[:4000]).all() and (y_test.numpy() == labels[4000:]).all()


@settings(max_examples=20, deadline=None)
@given(n_train=st.integers(0, 4000), n_test=st.integers(0, 1000),
       dtype=st.sampled_from([torch.float32, torch.float64]))
def test_load_gives_as_many_as_asked(n_train, n_test, dtype):
    """Any number up to the size of a split is given, in the order of the split."""
    x_train, y_train, x_test, y_test = load(n_train=n_train, n_test=n_test, dtype=dtype)
    assert [len(t) for t in (x_train, y_train, x_test, y_test)] == [n_train] * 2 + [n_test] * 2
    assert x_train.dtype == x_test.dtype == dtype
    assert (y_test == StrokeDigits(train=False).targets[:n_test]).all()


def test_load_reads_files(raw, name, pictures):
    """The same tensors come from the real files, through torchvision's own class."""
    x_train, y_train, x_test, y_test = load(name, raw.parents[1], n_train=20, n_test=7)
    for x, y, split, n in ((x_train, y_train, FILES[:2], 20), (x_test, y_test, FILES[2:], 7)):
        expected = (pictures[split[0]][:n, None] / 255 - .13) / .31
        np.testing.assert_allclose(x.numpy(), expected, 1e-12)
        assert y.tolist() == pictures[split[1]][:n].tolist()


@pytest.mark.parametrize(("wrong", "says"), [
    ({"dataset": "mnist"}, "FashionMNIST"),
    ({"dtype": torch.uint8}, "torch.float64"),
    ({"n_train": 4001}, "0 to 4000"),
    ({"n_test": -1}, "0 to 1000"),
])
def test_load_names_a_wrong_argument(wrong, says):
    """A wrong argument is named with its value and what is right."""
    with pytest.raises(ValueError) as error:
        load(**wrong)
    message = one_line(error)
    assert says in message and str(*wrong.values()) in message


# Files that are missing or damaged, and the download


@pytest.mark.parametrize("present", [[], FILES[:3]])
def test_missing_files_say_where_and_what_to_do(raw, name, present):
    """Not one file may be missing; the line names the folder and three ways out."""
    for file in set(FILES) - set(present):
        (raw / file).unlink()
    with pytest.raises(FileNotFoundError) as error:
        load(name, raw.parents[1], 1, 1)
    message = one_line(error)
    assert str(raw) in message and "download=True" in message and "StrokeDigits" in message


def test_zipped_files_are_not_enough(raw, name, pictures):
    """Archives alone are missing files, and the line says that they must be unzipped."""
    for file, array in pictures.items():
        (raw / file).unlink()
        (raw / f"{file}.gz").write_bytes(gzip.compress(idx(array)))
    with pytest.raises(FileNotFoundError) as error:
        load(name, raw.parents[1], 1, 1)
    assert "unzipped" in one_line(error)


DAMAGE = {
    "empty": lambda content: b"",
    "truncated": lambda content: content[:-100],
    "header only": lambda content: content[:16],
    "text": lambda content: b"<html>not found</html>",
    "labels": lambda content: idx(np.zeros(20, np.uint8)),
    "fewer pictures": lambda content: idx(np.zeros((19, 28, 28), np.uint8)),
    "other size": lambda content: idx(np.zeros((20, 14, 14), np.uint8)),
    "floats": lambda content: idx(np.zeros((20, 28, 28), ">f4"), kind=0x0D),
    "unknown kind": lambda content: idx(np.zeros((20, 28, 28), np.uint8), kind=0x0A),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("split", ["train", "t10k"])
def test_a_damaged_file_is_named(raw, name, split, damage):
    """Whatever is wrong with a file, one line names its split and its folder."""
    file = raw / f"{split}-images-idx3-ubyte"
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    with pytest.raises(ValueError) as error:
        load(name, raw.parents[1], 1, 1)
    message = one_line(error)
    assert f"the {split} files" in message and str(raw) in message and "StrokeDigits" in message


@settings(max_examples=50, deadline=None)
@given(head=st.binary(max_size=20), size=st.integers(0, 900))
def test_any_bytes_give_pictures_or_one_line(tmp_path_factory, head, size):
    """Random bytes in a file never escape as an error of another kind."""
    raw = tmp_path_factory.mktemp("any") / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in FILES:
        (raw / file).write_bytes(idx(np.zeros(1, np.uint8)))
    (raw / FILES[0]).write_bytes(head + bytes(size))
    with pytest.raises(ValueError) as error:
        load("MNIST", raw.parents[1], 1, 1)
    assert "cannot be read" in one_line(error)


def test_download_only_when_asked(mirror, tmp_path, name, pictures):
    """Without `download` no request is made; with it the files arrive, once."""
    root = tmp_path / "data"
    with pytest.raises(FileNotFoundError):
        load(name, root, 1, 1)
    assert mirror.asked == []
    x_train, y_train, x_test, _ = load(name, root, 20, 10, download=True)
    np.testing.assert_allclose(x_train[:, 0].numpy(), (pictures[FILES[0]] / 255 - .13) / .31)
    assert y_train.tolist() == pictures[FILES[1]].tolist() and len(x_test) == 10
    assert set(mirror.asked) == {f"/{file}.gz" for file in FILES}
    mirror.asked.clear()
    load(name, root, 1, 1, download=True)
    assert mirror.asked == []


def test_a_damaged_download_is_refused(mirror, tmp_path, name):
    """An archive with a wrong checksum is one line, and the next attempt succeeds."""
    archive = mirror.site / f"{FILES[1]}.gz"
    content = archive.read_bytes()
    archive.write_bytes(content[:-1] + b"!")
    with pytest.raises(RuntimeError) as error:
        load(name, tmp_path / "data", 1, 1, download=True)
    assert str(tmp_path / "data" / name) in one_line(error)
    archive.write_bytes(content)
    assert len(load(name, tmp_path / "data", 1, 1, download=True)[0]) == 1


def test_no_network_is_one_line(tmp_path, monkeypatch, name):
    """A server that does not answer gives the folder and the way out."""
    monkeypatch.setattr(getattr(datasets, name), "mirrors", ["http://127.0.0.1:9/"])
    with pytest.raises(RuntimeError) as error:
        load(name, tmp_path, 1, 1, download=True)
    message = one_line(error)
    assert str(tmp_path / name) in message and "StrokeDigits" in message


def test_a_server_that_talks_nonsense_is_one_line(tmp_path, monkeypatch, name):
    """An answer that is not HTTP, such as a captive portal may give, is one line too."""
    class Nonsense(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(4096)
            self.request.sendall(b"hello\r\n\r\n")

    with socketserver.TCPServer(("127.0.0.1", 0), Nonsense) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        monkeypatch.setattr(getattr(datasets, name), "mirrors", [address])
        with pytest.raises(RuntimeError) as error:
            load(name, tmp_path, 1, 1, download=True)
        server.shutdown()
    assert str(tmp_path / name) in one_line(error)


def test_a_root_that_is_a_file_is_one_line(tmp_path, name):
    """A file where the folder should be is reported, not overwritten."""
    root = tmp_path / "data"
    root.write_text("mine")
    with pytest.raises(RuntimeError) as error:
        load(name, root, 1, 1, download=True)
    assert str(root) in one_line(error)
    assert root.read_text() == "mine"


def test_any_folder_can_import_it(tmp_path):
    """The installed course offers `strokes` to a notebook in whatever folder it runs."""
    code = "import strokes; print(len(strokes.StrokeDigits(train=False)))"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True,
                         text=True, check=False)
    assert run.stdout == "1000\n", run.stderr
