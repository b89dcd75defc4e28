"""The models that `smartcam models fetch` knows: what each is good at, its licence, and exactly which files it is.

Every file is pinned by a hash: sha256 where it is known, the git blob id otherwise. Names, hashes and sizes
are facts about public files; none of the files is part of this project.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal, TypeAlias

from smartcam.detect.download import Pin
from smartcam.detect.model import Normalise, Resize
from smartcam.detect.origins import GitHubFile, NpmAsset, Origin
from smartcam.detect.vocabulary import COCO, FACE, OBJECTRON
from smartcam.errors import BadConfig

Task: TypeAlias = Literal["detect", "classify"]


@dataclass(frozen=True, slots=True)
class File:
    """One file of a model: all of what its origin names, or the bytes from `span[0]` up to `span[1]` of it."""

    origin: Origin
    bytes: int | None = None
    """None where only the fetched file tells."""
    sha256: str | None = None
    span: tuple[int, int] | None = None

    @property
    def pin(self) -> Pin:
        return Pin("sha256", self.sha256) if self.sha256 else self.origin.pin


@dataclass(frozen=True, slots=True)
class Entry:
    """A model, ready to be fetched and used by its name."""

    name: str
    title: str
    """What it is good at."""
    task: Task
    licence: str
    """Of the files; `caution` says what else there is to know before they are used."""
    model: File
    """For the CPU."""
    labels: File
    input_wh: tuple[int, int]
    compiled: File | None = None
    """The twin of `model` for the Edge TPU."""
    layout: str = "auto"
    """One of `layouts.LAYOUTS`; auto where the shapes of the outputs tell it by themselves."""
    resize: Resize = "stretch"
    normalise: Normalise = "auto"
    """What a float model wants; the others take pixels as they are."""
    score: float = 0.3
    """Detections below it are not worth tracking."""
    caution: str = ""
    knows: frozenset[str] = frozenset()
    """Its labels, where they are few; empty where only the fetched file tells."""

    @property
    def files(self) -> dict[str, File]:
        """The files by the names that they get in the cache."""
        files = {"model.tflite": self.model, "labels.txt": self.labels}
        return files | {"model_edgetpu.tflite": self.compiled} if self.compiled else files

    @property
    def bytes(self) -> int | None:
        """Of all its files, or None while one of them is not known."""
        sizes = [file.bytes for file in self.files.values()]
        return None if None in sizes else sum(size for size in sizes if size)

    @property
    def sha256(self) -> str | None:
        """Of the model for the CPU."""
        return self.model.sha256


def find(name: str) -> Entry:
    """The entry of this name. Raises BadConfig with a suggestion."""
    entries = {entry.name: entry for entry in CATALOGUE}
    if name in entries:
        return entries[name]
    near = difflib.get_close_matches(name, entries, n=1, cutoff=0.5)
    hint = f' (did you mean "{near[0]}"?)' if near else ""
    raise BadConfig(f'no model "{name}" in the catalogue{hint}: `smartcam models list` shows all')


def _coral(path: str, git_blob: str, size: int | None = None, sha256: str | None = None) -> File:
    """A file of Google's Edge TPU models, at the commit whose blob ids are listed here."""
    commit = "104342d2d3480b3e66203073dac24f4e2dbb4c41"
    return File(GitHubFile("google-coral/test_data", commit, path, git_blob), size, sha256)


def _coco(name: str, title: str, stem: str, blobs: tuple[str, str], side: int, resize: Resize = "stretch") -> Entry:
    """A detector of COCO's things; `blobs` are those of the file for the CPU and of its compiled twin."""
    return Entry(
        name=name,
        title=f"COCO's 80 things; {title}",
        task="detect",
        licence="Apache-2.0",
        model=_coral(f"{stem}.tflite", blobs[0]),
        compiled=_coral(f"{stem}_edgetpu.tflite", blobs[1]),
        labels=_COCO,
        knows=COCO,
        input_wh=(side, side),
        resize=resize,
    )


_OBJECTRON = NpmAsset(
    package="@mediapipe/objectron",
    version="0.4.1675468480",
    package_sha256="fc3e37b326b05e8f596099c90b3e0931b05a56cd3160b9ac450b621794bac94c",
    path="objectron_solution_packed_assets.data",
    bytes=9987912,
    sha256="470986ca5df183f41698da6de74b027d838fe289d77b5ab094497d350bee664e",
)
_COCO = _coral(
    "coco_labels.txt",
    "e6e413857619e7e4e892769d5b134b803454fa28",
    661,
    "dc183f003fc753c4c43fae6fdf7f387559449573f13fa32e517fb7453fd380f1",
)
_IMAGENET = _coral(
    "imagenet_labels.txt",
    "0f975ffd415baaea2267b4363717daff56451ad0",
    21686,
    "b8aaeb5630c62626a7d124a05c0e14230a7ffdd2136a31d0190a4fb71c1d82f1",
)
_INATURALIST = (
    "trained on iNaturalist's pictures, which are CC BY-NC: not for commercial use without their owners' leave"
)

CATALOGUE: tuple[Entry, ...] = (
    Entry(
        name="objectron",
        title="the default: person, bicycle, car, vehicle, cattle, cat, dog and 16 household things; small and quick",
        task="detect",
        licence="Apache-2.0",
        model=File(
            _OBJECTRON,
            bytes=9987728,
            sha256="d0a5255bf8c4f5a0bc4240741a76c41d5e939f7655078f945f50ab53a9375da6",
            span=(184, 9987912),
        ),
        labels=File(
            _OBJECTRON,
            bytes=184,
            sha256="c148336a65f673013609a923fdcbdeec0f49df935045029c3746a3828a0e80e0",
            span=(0, 184),
        ),
        input_wh=(300, 300),
        layout="ssd",
        normalise="signed",
        knows=OBJECTRON,
    ),
    _coco(
        "ssd-mobilenet-v1",
        "the quickest of them",
        "ssd_mobilenet_v1_coco_quant_postprocess",
        ("1a2270d37dd7d0f84acc49e069391312e697cf12", "07721d3949bd8f5a78b76e57fe3fafcf09207785"),
        side=300,
    ),
    _coco(
        "ssd-mobilenet-v2",
        "a good first choice for an Edge TPU",
        "ssd_mobilenet_v2_coco_quant_postprocess",
        ("28b6bdee3548170bb999ffcc7248b40d76f6b6b8", "67037e5ef832559e9b49beac96b11f2a0788ee63"),
        side=300,
    ),
    _coco(
        "ssd-mobilenet-v2-tf2",
        "SSD MobileNet v2 as TensorFlow 2 trains it",
        "tf2_ssd_mobilenet_v2_coco17_ptq",
        ("76be13016daa10289021773d584e2244d252bd22", "894fd0d7bc1dc8ae711057a298a86115d6975c63"),
        side=300,
    ),
    _coco(
        "ssd-mobilenet-v1-fpn",
        "a large input, for small things too; slow on a CPU",
        "tf2_ssd_mobilenet_v1_fpn_640x640_coco17_ptq",
        ("1adaba7d3a80feb3e02a51edddd50b77b48ed82b", "32f5905a4900c21fdbd487f36f0d94b1b74a1587"),
        side=640,
    ),
    _coco(
        "mobiledet",
        "made for the Edge TPU: surer than the SSD MobileNets and almost as quick there",
        "ssdlite_mobiledet_coco_qat_postprocess",
        ("f2857fa8b4a89cc285194ab5a636ddbe2def7fde", "88d57192111241e540384f59c8d108a8452b920c"),
        side=320,
    ),
    _coco(
        "efficientdet-lite0",
        "surer than the SSD MobileNets, and slower",
        "efficientdet_lite0_320_ptq",
        ("8f419c65be6fb981a1aec8bffc670a236a892ba2", "f25f21ebd46eef3e151de0c5cad1aa493b6cd5dc"),
        side=320,
        resize="letterbox",
    ),
    _coco(
        "efficientdet-lite1",
        "between efficientdet-lite0 and -lite2",
        "efficientdet_lite1_384_ptq",
        ("0b7cd7fd6e75d148193a406da09eae693f120745", "a8f4529452d14ef46b928366eec26deea7efa31b"),
        side=384,
        resize="letterbox",
    ),
    _coco(
        "efficientdet-lite2",
        "for distant things, where a few frames a second are enough",
        "efficientdet_lite2_448_ptq",
        ("ad155dbb048b4f8572aefcba6104409a798b74cf", "9b0d4f55905c6f108bca6203d8b24c4e9da846cb"),
        side=448,
        resize="letterbox",
    ),
    _coco(
        "efficientdet-lite3",
        "the surest of these detectors, and the slowest of its family",
        "efficientdet_lite3_512_ptq",
        ("1ee099cd93b35b5133c41e4d241519d15b86dbe2", "529ed7058174de49bd53f2816ba23408f12cc106"),
        side=512,
        resize="letterbox",
    ),
    Entry(
        name="ssd-mobilenet-v2-face",
        title="where faces are, not whose; for cameras that look at people from near by",
        task="detect",
        licence="Apache-2.0",
        model=_coral("ssd_mobilenet_v2_face_quant_postprocess.tflite", "1a36d6c963890c1fd3f1e386d8bd5970e872b38c"),
        compiled=_coral(
            "ssd_mobilenet_v2_face_quant_postprocess_edgetpu.tflite", "026972bf762815ba56f8403b2c9e7ab0bc77f547"
        ),
        labels=_coral(
            "face_labels.txt",
            "9271a15b3f4327fa9f8d10a67f260c9e083bf493",
            5,
            "98d57c25a2bed283c090bc2508078faff041262880bec9b6b744e6372d4a5f09",
        ),
        input_wh=(320, 320),
        knows=FACE,
    ),
    Entry(
        name="mobilenet-v1-025-128",
        title="the 1,000 classes of ImageNet; tiny: for trying things out",
        task="classify",
        licence="Apache-2.0",
        model=_coral(
            "mobilenet_v1_0.25_128_quant.tflite",
            "22b67d6a63753ad9907a4c8505632479ac439b94",
            525598,
            "cb273c23ee76374b05b9583177e28aa19744858a7679c56a250e83d0333da785",
        ),
        compiled=_coral(
            "mobilenet_v1_0.25_128_quant_edgetpu.tflite",
            "f0203c10fe12db2fe94cec88b7b80bb2e9baa238",
            801454,
            "a4cb1e493346542248687939fbd7421ab92d74c58b1f0a0018b8f1bdddfcef7e",
        ),
        labels=_IMAGENET,
        input_wh=(128, 128),
    ),
    Entry(
        name="mobilenet-v1",
        title="the 1,000 classes of ImageNet, 120 breeds of dog among them",
        task="classify",
        licence="Apache-2.0",
        model=_coral("mobilenet_v1_1.0_224_quant.tflite", "ed3753826e390f0ddec8c36a8125d0dc97fd43ef"),
        compiled=_coral("mobilenet_v1_1.0_224_quant_edgetpu.tflite", "9b78e04db00702d2995b65a05b872e981e0041a9"),
        labels=_IMAGENET,
        input_wh=(224, 224),
    ),
    Entry(
        name="mobilenet-v2",
        title="the 1,000 classes of ImageNet; a little surer than mobilenet-v1",
        task="classify",
        licence="Apache-2.0",
        model=_coral("mobilenet_v2_1.0_224_quant.tflite", "03533c32dacc1456ff3fe951ebdd5b967ce9e6a0"),
        compiled=_coral("mobilenet_v2_1.0_224_quant_edgetpu.tflite", "06db28d38a42505b1ef4f19b5273173e9a43504c"),
        labels=_IMAGENET,
        input_wh=(224, 224),
    ),
    Entry(
        name="inat-birds",
        title="964 species of bird, by their Latin and English names; wants crops with one bird",
        task="classify",
        licence="Apache-2.0; pictures CC BY-NC",
        model=_coral(
            "mobilenet_v2_1.0_224_inat_bird_quant.tflite",
            "225ffa93c74237a64e1a5782fce3dfbc61f9d380",
            3579500,
            "350fcd8cf1df1560060d464595dfed8b174b05792788052896004848d9ad04f9",
        ),
        compiled=_coral(
            "mobilenet_v2_1.0_224_inat_bird_quant_edgetpu.tflite", "35f31efe2d3ccc81376647c7f818a684adde0aae"
        ),
        labels=_coral(
            "inat_bird_labels.txt",
            "dfe4777e80d5086d4dfc047c2ee251924a58a401",
            37146,
            "a16108dfe3f8daff015b87a97ab6a17e717b9b1bccd719f6d8f747746d7b9277",
        ),
        input_wh=(224, 224),
        caution=_INATURALIST,
    ),
    Entry(
        name="inat-insects",
        title="about 1,000 species of insect, by their Latin and English names; wants crops with one insect",
        task="classify",
        licence="Apache-2.0; pictures CC BY-NC",
        model=_coral("mobilenet_v2_1.0_224_inat_insect_quant.tflite", "48abc7c548282910bd6d9bc9aeb5663c7288070b"),
        compiled=_coral(
            "mobilenet_v2_1.0_224_inat_insect_quant_edgetpu.tflite", "dffe3da9042ee4ddd4dfdea93c4d52594ccb994d"
        ),
        labels=_coral("inat_insect_labels.txt", "0beeba113f678c564b87b3832a01aab94388e7a5"),
        input_wh=(224, 224),
        caution=_INATURALIST,
    ),
    Entry(
        name="inat-plants",
        title="about 2,000 species of plant, by their Latin and English names; wants crops with one plant",
        task="classify",
        licence="Apache-2.0; pictures CC BY-NC",
        model=_coral("mobilenet_v2_1.0_224_inat_plant_quant.tflite", "85737c16869a13417a44229bf1968c4e964d2d7f"),
        compiled=_coral(
            "mobilenet_v2_1.0_224_inat_plant_quant_edgetpu.tflite", "7b6a62c27525b689d96dbe07c4f27c7a575bd49a"
        ),
        labels=_coral("inat_plant_labels.txt", "29b7540876024c92821092f4a8792e930530d4e3"),
        input_wh=(224, 224),
        caution=_INATURALIST,
    ),
)
