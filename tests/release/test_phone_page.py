"""The example page over a phone's bundle, in a real browser: it finds what Python finds, and the photograph stays where it is."""

import base64
import io
import json
import shutil
import subprocess
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from lookalike import files
from lookalike.catalog.images import decode
from lookalike.features.color_histogram import color_histogram
from lookalike.features.foreground import foreground
from lookalike.features.resize import resize
from lookalike.release import bundle, drawn, golden, phone, session, verify
from lookalike.release.looking import square
from lookalike.release.opened import Release
from lookalike.toy import catalog as toy
from lookalike.toy.style import style

RUNTIME = "onnxruntime-web@1.30.0"
SHIPPED = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NPM = shutil.which("npm")

TOLD = {"size": 64, "resize": "letterbox", "interpolation": "bicubic"}
OPTIONS = {"bins": 7, "softness": 7.5}
FILTERS, WIDE, PRODUCTS = 64, 64, 12
WEIGHT = 0.35
READY = "main[aria-busy=false]"
SEEN = """async ([data, told, options]) => {
  const [pixels, ground, color] = await Promise.all(["pixels", "foreground", "color"].map((one) => import(`./${one}.js`)));
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0));
  const square = pixels.squared(await pixels.decoded(new Blob([bytes])), told);
  const mask = ground.foreground(square, told.size);
  const packed = (all) => btoa(Array.from(new Uint8Array(all.buffer), (one) => String.fromCharCode(one)).join(""));
  return { square: packed(square), mask: packed(mask), color: packed(color.colorHistogram(square, told.size, options)) };
}"""


def network():
    """An ONNX file: how strong each of some drawn-at-random filters is in each quarter of a picture, in WIDE directions.

    Its filters and its matrix are large enough to be made smaller for a phone.
    """
    rng = np.random.default_rng(0)
    constants = {
        "middle": np.array(127.5, np.float32),
        "filters": rng.normal(size=(FILTERS, 3, 5, 5)).astype(np.float32) / 5,
        "matrix": rng.normal(size=(FILTERS * 16, WIDE)).astype(np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["pictures"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["numbers", "middle"], ["centered"]),
        helper.make_node("Div", ["centered", "middle"], ["light"]),
        helper.make_node("Transpose", ["light"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "filters"], ["seen"], strides=[4, 4]),
        helper.make_node("Relu", ["seen"], ["strong"]),
        helper.make_node(
            "AveragePool", ["strong"], ["pooled"], kernel_shape=[4, 4], strides=[4, 4], auto_pad="SAME_UPPER"
        ),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "matrix"], ["told"]),
        helper.make_node("LpNormalization", ["told"], ["vectors"], axis=1, p=2),
    ]
    pictures = helper.make_tensor_value_info("pictures", TensorProto.UINT8, ["B", "H", "W", 3])
    vectors = helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["B", WIDE])
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "filters", [pictures], [vectors], initializer=kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def as_png(pixels):
    kept = io.BytesIO()
    Image.fromarray(pixels).save(kept, "png")
    return kept.getvalue()


def photograph(number, view):
    """A product of the toy shop, taller than wide."""
    return toy.draw(toy.shots(style(number, 0), which=0, views=4, size=160)[view])[:, 10:150]


@pytest.fixture(scope="module")
def pocket(tmp_path_factory):
    """A phone's bundle of drawn products, as `lookalike index ... phone=true` writes it, and what Python makes of it."""
    home = tmp_path_factory.mktemp("releases")
    with bundle.draft(home, "small") as draft:
        (draft / "model").mkdir()
        (draft / "model" / "float32.onnx").write_bytes(network())
        files.write_json(draft / "preprocessing.json", TOLD)
        files.write_json(draft / "color.json", {"options": OPTIONS, "weight": WEIGHT})
        release = Release(draft, {"serves": "float32", "name": "small", "id": "0", "files": {}})
        seen = [
            golden.Drawn("one.png", as_png(square(drawn.pictures(1)[0].data, TOLD)))
        ]  # of a square, as this network wants
        golden.write(draft, seen, verify.by_bytes(release, threads=1))
        release.manifest["files"] |= files.listed(draft)
        squares = [square(as_png(photograph(number, 0)), TOLD) for number in range(PRODUCTS)]
        look, tint = release.shape(threads=1), release.color()
        shape, color = (np.concatenate([of(one[None]) for one in squares]) for of in (look, tint))
        table = pl.DataFrame({"product": [f"shop:{number}" for number in range(PRODUCTS)]})
        url = pl.concat_str([pl.lit("https://shop.example/"), "product"])
        products = table.with_columns(
            name=pl.lit("Bag <b>"), brand=pl.lit("Acme"), price=9.5, currency=pl.lit("EUR"), url=url
        )
        phone.write(
            draft, release, table, products, shape, color, squares=squares, threads=1, told={"catalog": "shop@1"}
        )
        kept = home / "phone"
        shutil.copytree(draft / "phone", kept)
    return kept


def found(pocket, data, weight, k=24):
    """Product and score, best first, from the bundle's files alone."""
    ids = json.loads((pocket / "ids.json").read_text())
    scales = np.fromfile(pocket / "scales.f32", "<f4").reshape(-1, 2)
    rows = [np.fromfile(pocket / f"{one}.i8", np.int8).reshape(len(ids), -1) for one in ("shape", "color")]
    shape, color = (phone.unpacked(one, scales[:, at]) for at, one in enumerate(rows))
    seen = square(data, TOLD)[None]
    ours = session.embedder(pocket / "model.onnx", threads=1)(seen)[0]
    if (pocket / "axes.f32").is_file():
        ours = ours @ np.fromfile(pocket / "axes.f32", "<f4").reshape(WIDE, -1)
        ours /= np.linalg.norm(ours)
    scores = (1 - weight) * shape @ ours + weight * color @ color_histogram(seen, **OPTIONS)[0]
    return [(ids[row], float(scores[row])) for row in np.argsort(-scores, kind="stable")[:k]]


@pytest.fixture(scope="session")
def runtime(tmp_path_factory):
    """The folder in which npm put ONNX Runtime for browsers."""
    if NPM is None or BROWSER is None:
        pytest.skip("no npm or no Chromium on this machine")
    home = tmp_path_factory.mktemp("npm")
    words = [NPM, "install", "--ignore-scripts", "--no-save", "--no-audit", "--no-fund", "--prefix", str(home), RUNTIME]
    done = subprocess.run(words, cwd=home, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        pytest.skip(f"npm cannot install {RUNTIME}: {done.stderr.strip()[-200:]}")
    return home / "node_modules" / "onnxruntime-web" / "dist"


class Quiet(SimpleHTTPRequestHandler):
    """A plain file server, of files that tests change."""

    def end_headers(self):
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def site(runtime, pocket, tmp_path_factory):
    """The page with all that belongs beside it, on loopback: its folder and its address."""
    at = tmp_path_factory.mktemp("site") / "try"
    shutil.copytree(phone.PAGE, at)
    shutil.copytree(pocket, at / "phone")
    for name in SHIPPED:
        shutil.copy(runtime / name, at)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=at)) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(at=at, url=f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def phones(site, chromium):
    """The page on a phone, open: `.page`, all that it asks for and all that its console says."""
    page = chromium.new_context(viewport={"width": 380, "height": 800}).new_page()
    asked, said = [], []
    page.context.on("request", lambda one: asked.append(one.url))
    page.on("console", lambda one: said.append(one.text))
    page.on("pageerror", lambda one: said.append(str(one)))
    page.set_default_timeout(120_000)  # of a machine that does much beside
    page.goto(f"{site.url}/index.html")
    page.wait_for_selector(READY)
    dial = page.input_value("#dial"), page.inner_text("#turn")
    return SimpleNamespace(page=page, asked=asked, said=said, dial=dial)


@pytest.fixture
def opened(phones):
    """The same for one test, whose console said nothing yet."""
    phones.said.clear()
    return phones


def again(opened):
    """Open the page anew."""
    opened.asked.clear()
    opened.page.reload()
    opened.page.wait_for_selector(READY)


def put_in(opened, data, name="photo.png"):
    opened.page.set_input_files("#photo", {"name": name, "mimeType": f"image/{name[-3:]}", "buffer": data})
    opened.page.wait_for_selector(READY)
    return opened.page.text_content("#state")


def turned(opened, weight):
    opened.page.eval_on_selector(
        "#dial", f"dial => {{ dial.value = {weight}; dial.dispatchEvent(new Event('input')); }}"
    )


def shown(opened):
    return opened.page.eval_on_selector_all("#hits li", "all => all.map(one => one.dataset.product)")


def test_the_dial_starts_where_the_release_was_measured(phones):
    assert phones.dial == ("0.35", "65 % shape, 35 % color")


def test_a_photograph_finds_what_python_finds_at_every_turn_of_the_dial(opened, pocket):
    data = as_png(photograph(3, 1))
    put_in(opened, data)
    for weight in (0, 0.3, 0.7, 1):
        turned(opened, weight)
        assert shown(opened) == [product for product, _ in found(pocket, data, weight)]
    assert shown(opened)[0] == "shop:3"
    assert opened.said == []


def test_nothing_is_asked_for_once_the_page_is_open_and_never_of_another_host(opened, site):
    again(opened)
    before = len(opened.asked)
    assert before > len(SHIPPED)
    put_in(opened, as_png(photograph(5, 1)))
    turned(opened, 1)
    opened.page.wait_for_timeout(200)
    assert len(opened.asked) == before
    assert [one for one in opened.asked if not one.startswith((f"{site.url}/", "data:"))] == []


def test_the_page_s_own_policy_lets_nothing_out(opened):
    tried = "fetch('https://shop.example/').then(() => 'out', wrong => String(wrong))"
    assert "Failed to fetch" in opened.page.evaluate(tried)
    assert any("Content Security Policy" in one for one in opened.said)


def test_a_card_tells_its_product_as_text_and_fits_a_phone(opened):
    put_in(opened, as_png(photograph(0, 0)))
    first = opened.page.text_content("#hits li")
    assert "Bag <b>" in first
    assert "Acme" in first
    assert "9.50 EUR" in first
    assert opened.page.get_attribute("#hits li a", "href") == "https://shop.example/shop:0"
    wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    assert opened.page.evaluate(wide)


def test_what_is_no_picture_is_told_and_the_next_one_is_looked_at(opened):
    assert put_in(opened, b"no picture").startswith("This did not work")
    assert put_in(opened, as_png(photograph(1, 0))).startswith("Found in")


def test_a_bundle_that_was_not_copied_whole_is_refused_with_the_mend(site, opened):
    whole = (site.at / "phone" / "shape.i8").read_bytes()
    (site.at / "phone" / "shape.i8").write_bytes(whole[:-1])
    try:
        again(opened)
        told = f"shape.i8 has {len(whole) - 1} bytes and the manifest says {len(whole)}"
        assert told in opened.page.text_content("#state")
    finally:
        (site.at / "phone" / "shape.i8").write_bytes(whole)
        again(opened)


def seen_by(opened, data, told, options):
    """A picture's square, its mask and its colors, as the page's own modules make them."""
    made = opened.page.evaluate(SEEN, [base64.b64encode(data).decode(), told, options])
    size, octets = told["size"], {name: base64.b64decode(one) for name, one in made.items()}
    return SimpleNamespace(
        square=np.frombuffer(octets["square"], np.uint8).reshape(size, size, 3),
        mask=np.frombuffer(octets["mask"], np.uint8).reshape(size, size),
        color=np.frombuffer(octets["color"], "<f4"),
    )


@pytest.mark.parametrize(
    ("size", "how", "by", "options"),
    [
        (97, "squash", "bicubic", {}),
        (64, "letterbox", "bilinear", {"bins": 8, "lightness": 5, "softness": 7.5}),
        (112, "crop", "lanczos", {"lightness": 1}),
        (120, "crop", "bicubic", {"bins": 1, "softness": 2.5}),
    ],
)
def test_squares_masks_and_colors_are_those_of_python(opened, size, how, by, options):
    noise = np.random.default_rng(0).integers(0, 256, (61, 90, 3), dtype=np.uint8)
    bags = [decode(one.data) for one in drawn.pictures(3)]
    for pixels in [*bags, noise, np.full((50, 80, 3), 255, np.uint8)]:
        ours = seen_by(opened, as_png(pixels), {"size": size, "resize": how, "interpolation": by}, options)
        theirs = resize(pixels, size, how, by)[None]
        np.testing.assert_array_equal(ours.square, theirs[0])
        np.testing.assert_array_equal(ours.mask, foreground(theirs)[0])
        np.testing.assert_allclose(ours.color, color_histogram(theirs, **options)[0], atol=1e-6)


def test_a_photograph_is_turned_upright_and_what_is_transparent_is_white(opened):
    flat = np.zeros((4, 6, 4), np.uint8)
    flat[0, :, :] = 200, 30, 40, 255
    kept = io.BytesIO()
    turn = Image.Exif()
    turn[0x0112] = 6
    Image.fromarray(flat).save(kept, "png", exif=turn)
    told = {"size": 8, "resize": "squash", "interpolation": "bilinear"}
    np.testing.assert_array_equal(seen_by(opened, kept.getvalue(), told, {}).square, square(kept.getvalue(), told))


def test_a_bundle_of_fewer_axes_finds_what_python_finds(opened, site, pocket, tmp_path):
    ids = json.loads((pocket / "ids.json").read_text())
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(WIDE, 9)))[0].astype("<f4")
    scales = np.fromfile(pocket / "scales.f32", "<f4").reshape(-1, 2)
    rows = phone.unpacked(np.fromfile(pocket / "shape.i8", np.int8).reshape(len(ids), WIDE), scales[:, 0]) @ axes
    packed, scale = phone.packed_rows(rows)
    few = tmp_path / "phone"
    shutil.copytree(pocket, few)
    (few / "axes.f32").write_bytes(axes.tobytes())
    (few / "shape.i8").write_bytes(packed.tobytes())
    (few / "scales.f32").write_bytes(np.stack([scale, scales[:, 1]], axis=1).astype("<f4").tobytes())
    told = json.loads((few / "manifest.json").read_text())
    told["dimensions"]["shape"] = 9
    told["bytes"] |= {one: (few / one).stat().st_size for one in ("axes.f32", "shape.i8")}
    (few / "manifest.json").write_text(json.dumps(told))
    shutil.copytree(few, site.at / "phone", dirs_exist_ok=True)
    try:
        again(opened)
        data = as_png(photograph(7, 1))
        put_in(opened, data)
        turned(opened, 0.2)
        assert shown(opened) == [product for product, _ in found(few, data, 0.2)]
    finally:
        (site.at / "phone" / "axes.f32").unlink()
        shutil.copytree(pocket, site.at / "phone", dirs_exist_ok=True)
        again(opened)
