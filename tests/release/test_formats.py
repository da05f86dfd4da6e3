"""Every format of one small network, read back by what reads it: the same vectors for pictures of any size."""

import zipfile

import numpy as np
import onnx
import pytest
import torch

from lookalike import build
from lookalike.release import formats, session, small
from lookalike.release.whole import Whole
from lookalike.settings import Choice, DataError, Pixels


def pictures(count, height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (count, height // 8 + 1, width // 8 + 1, 3))
    return np.repeat(np.repeat(coarse, 8, 1), 8, 2)[:, :height, :width].astype(np.uint8)


@pytest.fixture(scope="module")
def embedder():
    torch.manual_seed(0)
    pixels = Pixels(size=48, gray=True, resize="letterbox", blur=0.8)
    made = build.embedder(Choice(name="small"), Choice(name="affine"), pixels, mirror=True).embedder
    return made.eval().requires_grad_(requires_grad=False)


@pytest.fixture(scope="module")
def whole(embedder):
    return Whole(embedder).eval()


@pytest.fixture(scope="module")
def program(whole):
    return formats.program(whole)


@pytest.fixture(scope="module")
def halves(embedder, tmp_path_factory):
    at = tmp_path_factory.mktemp("halves")
    formats.write_sight(embedder, at / "sight.onnx")
    formats.write_tail(embedder, embedder.head.linear.in_features, at / "tail.onnx")
    return at / "sight.onnx", at / "tail.onnx"


@pytest.fixture(scope="module")
def float32(halves, tmp_path_factory):
    path = tmp_path_factory.mktemp("float32") / "float32.onnx"
    formats.join(*halves, path)
    return path


def apart(ours, theirs):
    return np.abs(ours - theirs).max()


@pytest.mark.parametrize("shape", [(1, 48, 48), (3, 97, 131), (2, 30, 20), (1, 300, 9)])
def test_onnx_gives_the_networks_vectors_for_pictures_of_any_number_and_size(whole, float32, shape):
    seen = pictures(*shape)
    assert apart(session.embedder(float32)(seen), whole(torch.from_numpy(seen)).numpy()) < 2e-5


def test_int8_is_close_and_its_convolutions_are_a_quarter_of_the_size(whole, halves, float32, tmp_path):
    formats.round_sight(halves[0], tmp_path / "sight.onnx", list(pictures(24, 60, 60)))
    formats.join(tmp_path / "sight.onnx", halves[1], tmp_path / "int8.onnx")
    seen = pictures(5, 80, 64, seed=1)
    ours, theirs = session.embedder(tmp_path / "int8.onnx")(seen), whole(torch.from_numpy(seen)).numpy()
    assert np.einsum("nd,nd->n", ours, theirs).min() > 0.98
    kinds = {node.op_type for node in onnx.load(tmp_path / "int8.onnx").graph.node}
    assert "QuantizeLinear" in kinds
    assert (tmp_path / "int8.onnx").stat().st_size < 0.7 * float32.stat().st_size


def test_safetensors_hold_every_weight(embedder, tmp_path):
    formats.write_weights(embedder, tmp_path / "weights.safetensors")
    torch.manual_seed(1)
    pixels = Pixels(size=48, gray=True, resize="letterbox", blur=0.8)
    other = build.embedder(Choice(name="small"), Choice(name="affine"), pixels, mirror=True).embedder.eval()
    read = formats.read_weights(other, tmp_path / "weights.safetensors").state_dict()
    assert all(torch.equal(read[name], one) for name, one in embedder.state_dict().items())
    assert not torch.equal(
        other.head.linear.weight, embedder.head.linear.weight
    )  # what it was read into is left as it was


def test_a_program_is_read_back_and_holds_no_pickle(program, whole, tmp_path):
    formats.write_program(program, tmp_path / "program.pt2")
    seen = pictures(2, 50, 70)
    assert apart(formats.read_program(tmp_path / "program.pt2")(seen), whole(torch.from_numpy(seen)).numpy()) < 1e-6
    with zipfile.ZipFile(tmp_path / "program.pt2") as archive:
        parts = {part.filename: archive.read(part) for part in archive.infolist()}
    assert [name for name, data in parts.items() if data[:2] in (b"PK", b"\x80\x02", b"\x80\x05")] == []


def test_coreml_is_converted_in_half_precision_and_says_what_it_takes(embedder, tmp_path):
    formats.write_phone(embedder, tmp_path / "phone.mlpackage")
    ct = formats.quiet_coreml()
    said = ct.models.MLModel(str(tmp_path / "phone.mlpackage"), skip_model_load=True).get_spec()
    assert said.description.input[0].name == "pictures"
    assert list(said.description.input[0].type.multiArrayType.shape) == [1, 48, 48, 3]
    assert said.description.output[0].name == "vectors"
    kept = sum(one.stat().st_size for one in (tmp_path / "phone.mlpackage").rglob("*.bin"))
    weights = sum(one.nbytes for one in embedder.state_dict().values())
    assert kept < 0.7 * weights


def test_weights_in_eight_bits_are_a_quarter_and_give_nearly_the_same(whole, float32, tmp_path):
    small.onnx(float32, tmp_path / "small.onnx")
    seen = pictures(4, 64, 64)
    ours, theirs = session.embedder(tmp_path / "small.onnx")(seen), whole(torch.from_numpy(seen)).numpy()
    assert np.einsum("nd,nd->n", ours, theirs).min() > 0.999
    assert (tmp_path / "small.onnx").stat().st_size < 0.5 * float32.stat().st_size


def test_a_file_that_is_no_network_is_refused_by_name(tmp_path):
    (tmp_path / "float32.onnx").write_bytes(b"not a network")
    with pytest.raises(DataError, match=r"float32\.onnx: ONNX Runtime cannot load this network; export the run again"):
        session.embedder(tmp_path / "float32.onnx")
