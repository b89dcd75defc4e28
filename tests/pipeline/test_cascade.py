"""Second looks: who gets one and when, and what a vote makes of them."""

from __future__ import annotations

import gc
import shutil
import weakref
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest

from smartcam.data import Box, Frame, Track
from smartcam.detect.accelerator import AcceleratorLost
from smartcam.detect.classifier import Classifier, Guess
from smartcam.errors import Unavailable
from smartcam.pipeline.cascade import BATCH, Cascade, Second
from tests.clips import picture
from tests.commands import Ran, person_model, smartcam
from tests.evidence.pictures import flat, frame
from tests.real import shared
from tests.rules.scenes import every
from tests.tiny_models import Canned, model_bytes

BOX: Box = (0.4, 0.4, 0.6, 0.6)


@dataclass(eq=False)
class Scripted:
    """What `Classifier` is to the cascade: says one thing after another, the last one for ever."""

    says: Sequence[list[Guess]]
    log: list[tuple[float, int]] = field(default_factory=list)
    """The time and the number of each crop that it saw; a track's box tells its number."""
    away: bool = False
    lost_after: int = 1_000_000
    on_guess: Callable[[], None] = lambda: None

    def ready(self) -> bool:
        return not self.away

    def guess(self, frame: Frame, box: Box) -> list[Guess]:
        if self.away or len(self.log) >= self.lost_after:
            raise AcceleratorLost("the cable was pulled")
        self.on_guess()
        self.log.append((frame.at, round(box[0] * 100)))
        return self.says[min(len(self.log), len(self.says)) - 1]


def says(*guesses: tuple[str, float]) -> list[Guess]:
    return [Guess(*guess) for guess in guesses]


ROBIN = says(("robin", 0.8), ("wren", 0.1))


def second(model: Scripted, *labels: str, score: float = 0.5) -> Second:
    return Second(frozenset(labels or ("bird",)), cast("Classifier", model), score)


def bird(at: float, id_: int = 1, label: str = "bird") -> Track:
    return Track(id_, label, (id_ / 100, 0.4, 0.6, 0.6), 0.9, 0.0, at, 3, confirmed=True)


def play(cascade: Cascade, frames: Iterable[Frame], tracks: Callable[[float], tuple[Track, ...]]) -> list[Track]:
    """Show frames as the eye does; the first track of each, as the cascade names it."""
    firsts: list[Track] = []
    for each in frames:
        if cascade.due(each.at):
            cascade.run()
        firsts += cascade.name(each, tracks(each.at))[:1]
    return firsts


def seconds_of(end: float, step_s: float = 0.1, camera: str = "front") -> list[Frame]:
    return [frame(at, camera=camera) for at in every(step_s, 0, end)]


def kinds(tracks: Iterable[Track]) -> list[tuple[str, float]]:
    """Each sublabel with its score, without repetitions."""
    found = [(track.sublabel, round(track.sublabel_score, 2)) for track in tracks]
    return [kind for n, kind in enumerate(found) if not n or kind != found[n - 1]]


# --- the vote


def test_a_name_is_the_label_that_is_likeliest_on_average_from_the_second_look_on() -> None:
    model = Scripted([ROBIN, says(("wren", 0.8), ("robin", 0.4)), says(("wren", 0.9))])
    tracks = play(Cascade([second(model)], strict=True), seconds_of(2), lambda at: (bird(at),))

    assert kinds(tracks) == [("", 0), ("robin", 0.6), ("wren", 0.6)]
    assert {(track.label, track.score) for track in tracks} == {("bird", 0.9)}


def test_a_bird_stays_a_bird_while_the_model_is_unsure_and_becomes_one_again() -> None:
    model = Scripted([ROBIN, says(("robin", 0.1)), says(("robin", 1.0)), says(("wren", 0.3))])
    tracks = play(Cascade([second(model)], strict=True), seconds_of(5.1), lambda at: (bird(at),))

    assert kinds(tracks) == [("", 0), ("robin", 0.63), ("", 0)]


@pytest.mark.parametrize("nothing", ["background", "???"])
def test_where_the_background_is_likeliest_nothing_is_named(nothing: str) -> None:
    model = Scripted([says((nothing, 0.5), ("robin", 0.4))])
    tracks = play(Cascade([second(model, score=0.3)], strict=True), seconds_of(2), lambda at: (bird(at),))

    assert kinds(tracks) == [("", 0)]


def test_a_look_that_finds_nothing_counts() -> None:
    """A detector that sees a face in one of three crops."""
    model = Scripted([says(("face", 0.9)), [], []])
    tracks = play(Cascade([second(model, score=0.4)], strict=True), seconds_of(2), lambda at: (bird(at),))

    assert kinds(tracks) == [("", 0), ("face", 0.45), ("", 0)]


def test_a_track_that_ends_takes_its_votes_along() -> None:
    model = Scripted([ROBIN])
    cascade = Cascade([second(model)], strict=True)
    assert play(cascade, seconds_of(1), lambda at: (bird(at),))[-1].sublabel == "robin"

    cascade.name(frame(1.1), ())
    assert cascade.name(frame(1.2), (bird(1.2),))[0].sublabel == ""


def test_cameras_number_their_tracks_by_themselves() -> None:
    model = Scripted([ROBIN])
    cascade = Cascade([second(model)], strict=True)
    play(cascade, seconds_of(1), lambda at: (bird(at),))

    assert cascade.name(frame(1, camera="back"), (bird(1),))[0].sublabel == ""
    assert cascade.name(frame(1.1, camera="back"), ()) == ()
    assert cascade.name(frame(1), (bird(1),))[0].sublabel == "robin"


def test_a_new_recording_begins_anew_also_its_time() -> None:
    model = Scripted([ROBIN])
    cascade = Cascade([second(model)], strict=True)
    first = play(cascade, seconds_of(60), lambda at: (bird(at),))
    cascade.forget()

    assert play(cascade, seconds_of(60), lambda at: (bird(at),)) == first


# --- who gets a look


@pytest.mark.parametrize(
    "track",
    [
        replace(bird(1), confirmed=False),
        bird(1, label="cat"),
        replace(bird(1), last_at=0.5),
    ],
    ids=["not known to be real", "another label", "only carried on"],
)
def test_no_look_is_wasted_on(track: Track) -> None:
    cascade = Cascade([second(Scripted([ROBIN]))])

    assert cascade.name(frame(1), (track,)) == (track,)
    assert not cascade.due(1.1)


def test_a_second_for_any_label_looks_at_everything() -> None:
    model = Scripted([ROBIN])
    any_label = Second(None, cast("Classifier", model), 0.5)

    assert play(Cascade([any_label], strict=True), seconds_of(1), lambda at: (bird(at, label="cat"),))[-1].sublabel


def test_looks_at_one_track_get_rarer() -> None:
    model = Scripted([ROBIN])
    play(Cascade([second(model)], strict=True), seconds_of(8), lambda at: (bird(at),))

    assert [at for at, _ in model.log] == [0, 0.5, 1.5, 3, 5, 7.5]


def test_a_batch_takes_those_first_that_were_seen_least() -> None:
    model = Scripted([ROBIN])
    flock = range(1, BATCH + 3)
    play(Cascade([second(model)], strict=True), seconds_of(2, 1), lambda at: tuple(bird(at, id_) for id_ in flock))

    assert model.log == [*((0, id_) for id_ in (1, 2, 3, 4)), *((1, id_) for id_ in (5, 6, 1, 2))]


def test_each_label_has_its_model_and_each_model_its_whole_batch() -> None:
    order: list[str] = []
    species = Scripted([ROBIN], on_guess=lambda: order.append("species"))
    faces = Scripted([says(("face", 0.9))], on_guess=lambda: order.append("faces"))
    cascade = Cascade([second(species), second(faces, "person", "cat"), second(species, "dog")], strict=True)
    labels = ["bird", "person", "dog", "cat"]
    tracks = [tuple(bird(at, n, label) for n, label in enumerate(labels)) for at in (0.0, 0.5, 1.0)]
    for at, seen in zip((0.0, 0.5, 1.0), tracks, strict=True):
        if cascade.due(at):
            cascade.run()
        named = cascade.name(frame(at), seen)

    assert order == ["species"] * 2 + ["faces"] * 2 + ["species"] * 2 + ["faces"] * 2
    assert [track.sublabel for track in named] == ["robin", "face", "robin", "face"]
    assert len(cascade.classifiers) == 2


def test_a_track_whose_label_flips_is_asked_about_anew_and_flips_back_with_its_votes() -> None:
    """What the species model said about a bird is no vote about a person."""
    species, faces = Scripted([ROBIN]), Scripted([says(("face", 0.9))])
    cascade = Cascade([second(species), second(faces, "person")], strict=True)

    def label(at: float) -> str:
        return "bird" if at < 1 or at > 3 else "person" if at < 2 else "cat"

    tracks = play(cascade, seconds_of(3.1), lambda at: (bird(at, label=label(at)),))

    assert kinds(tracks) == [("", 0), ("robin", 0.8), ("", 0), ("face", 0.9), ("", 0), ("robin", 0.8)]


# --- models that are away


def test_votes_outlive_a_model_that_is_away() -> None:
    model = Scripted([ROBIN])
    cascade = Cascade([second(model)])
    play(cascade, [frame(0), frame(1)], lambda at: (bird(at),))
    model.away = True
    now = [2.0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("smartcam.pipeline.cascade.time.monotonic", lambda: now[0] + 1e9)
        for at in every(1, 2, 30):
            now[0] = at
            play(cascade, [frame(at)], lambda at: (bird(at),))
        assert len(model.log) == 1
        model.away = False
        for at in every(1, 31, 33):
            now[0] = at
            last = play(cascade, [frame(at)], lambda at: (bird(at),))

    assert [at for at, _ in model.log] == [0, 30, 31]
    assert kinds(last) == [("robin", 0.8)]


def test_what_a_model_said_before_it_was_lost_counts() -> None:
    model = Scripted([ROBIN], lost_after=3)
    cascade = Cascade([second(model)])
    cascade.name(frame(0), tuple(bird(0, id_) for id_ in (1, 2, 3, 4)))
    cascade.run()

    cascade.name(frame(0.1), tuple(bird(0.1, id_) for id_ in (1, 2, 3, 4)))
    model.lost_after = 4
    cascade.run()

    assert model.log == [(0, 1), (0, 2), (0, 3), (0.1, 4)]


def test_one_model_that_is_lost_leaves_the_others_at_work() -> None:
    lost, faces = Scripted([ROBIN], lost_after=0), Scripted([says(("face", 0.9))])
    cascade = Cascade([second(lost), second(faces, "person")])
    cascade.name(frame(0), (bird(0), bird(0, 2, "person")))
    cascade.run()

    assert faces.log == [(0, 2)]


def test_a_recording_that_is_not_seen_to_its_end_is_refused() -> None:
    """Otherwise the same file would not give the same bytes."""
    cascade = Cascade([second(Scripted([ROBIN], lost_after=3))], strict=True)

    with pytest.raises(Unavailable, match="not seen to its end: the cable was pulled"):
        play(cascade, seconds_of(9), lambda at: (bird(at),))


def test_while_a_model_is_away_one_frame_a_camera_is_held_and_no_more() -> None:
    cascade = Cascade([second(Scripted([ROBIN], away=True))])
    pictures = []
    for at in every(0.1, 0, 10):
        for camera in ("front", "back"):
            each = frame(at, flat(8, 8), camera)
            pictures.append(weakref.ref(each.picture))
            if cascade.due(at):
                cascade.run()
            cascade.name(each, tuple(bird(at, id_) for id_ in range(20)))
    del each
    gc.collect()

    assert sum(picture() is not None for picture in pictures) <= 2


def test_detection_has_the_accelerator_for_three_times_as_long_as_a_batch_took(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("smartcam.pipeline.cascade.time.monotonic", lambda: now[0])

    def slowly() -> None:
        now[0] += 0.25

    cascade = Cascade([second(Scripted([ROBIN], on_guess=slowly))])
    cascade.name(frame(0), tuple(bird(0, id_) for id_ in range(8)))
    cascade.run()
    cascade.name(frame(9), tuple(bird(9, id_) for id_ in range(8)))
    assert now[0] == 101
    now[0] = 103.9
    assert not cascade.due(9)
    now[0] = 104
    assert cascade.due(9)


# --- the whole way, as it is called


def canned_detector(label_at: int, box: Box = (0.0, 0.0, 1.0, 1.0)) -> bytes:
    """Sees one thing, always in the same place."""
    x1, y1, x2, y2 = box
    return model_bytes(
        [
            Canned("boxes", np.array([[[y1, x1, y2, x2]]], np.float32)),
            Canned("ids", np.array([[float(label_at)]], np.float32)),
            Canned("scores", np.array([[0.9]], np.float32)),
            Canned("count", np.array([1.0], np.float32)),
        ]
    )


def replayed(place: Path, config: str, pictures: Path) -> Ran:
    (place / "config.toml").write_text('[camera.feeder]\nsource = "-"\nmotion = false\n' + config)
    done = smartcam("replay", pictures, "-c", "config.toml", "--json", at=place)
    assert done.code == 0, done.err
    return done


@pytest.mark.parametrize(
    ("image", "species", "score"),
    [
        ("parrot.jpg", "ara macao (scarlet macaw)", 0.73),
        ("bird.bmp", "poecile atricapillus (black-capped chickadee)", 0.66),
    ],
)
def test_a_bird_gets_its_species_from_a_real_model(image: str, species: str, score: float, tmp_path: Path) -> None:
    original = shared(f"images/{image}")
    model = shared("models/mobilenet_v2_1.0_224_inat_bird_quant.tflite")
    labels = shared("models/inat_bird_labels.txt")
    (tmp_path / "pictures").mkdir()
    for n in range(6):
        shutil.copy(original, tmp_path / "pictures" / f"{n}{original.suffix}")
    (tmp_path / "bird.tflite").write_bytes(canned_detector(0))
    (tmp_path / "labels.txt").write_text("bird\n")
    config = f"""
        [model.birds]
        file = "bird.tflite"
        labels = "labels.txt"
        accelerator = "cpu"
        [[model.birds.then]]
        see = "bird"
        model = "species"
        [model.species]
        file = "{model}"
        labels = "{labels}"
        accelerator = "cpu"
        [rule.visitor]
        see = "bird"
        [rule.rare]
        see = "{species}"
    """

    events = replayed(tmp_path, config, tmp_path / "pictures").objects

    told = {(event["event_type"], event["phase"]): event for event in events}
    for end in (told["visitor", "end"], told["rare", "end"]):
        assert (end["label"], end["score"]) == ("bird", 0.9)
        assert (end["sublabel"], end["sublabel_score"]) == (species, pytest.approx(score, abs=0.02))
        assert end["tracks"][0]["sublabel"] == species
    assert told["visitor", "start"]["start"] < told["rare", "start"]["start"], "its name has to settle first"


TWO_MODELS = """
    [model.tiny]
    file = "person.tflite"
    labels = "labels.txt"
    accelerator = "cpu"
    threads = 1
    [[model.tiny.then]]
    see = "person"
    model = "faces"
    [[model.tiny.then]]
    see = "car"
    model = "makes"
    [model.faces]
    file = "faces.tflite"
    labels = "faces.txt"
    accelerator = "cpu"
    threads = 1
    [model.makes]
    file = "makes.tflite"
    accelerator = "cpu"
    threads = 1
    [rule.visitor]
    see = "person"
    [rule.looks-here]
    see = "face"
    do = ["snapshot"]
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "person.tflite").write_bytes(person_model())
    (tmp_path / "labels.txt").write_text("person\ncar\n")
    (tmp_path / "faces.tflite").write_bytes(canned_detector(0, (0.4, 0.1, 0.6, 0.3)))
    (tmp_path / "faces.txt").write_text("face\n")
    (tmp_path / "makes.tflite").write_bytes(model_bytes([Canned("out", np.array([[0.2, 0.8]], np.float32))]))
    (tmp_path / "pictures").mkdir()
    for n in range(8):
        picture(tmp_path / "pictures" / f"{n}.png", n)
    return tmp_path


def test_a_face_detector_looks_at_every_person_and_a_rule_can_wait_for_a_face(place: Path) -> None:
    events = replayed(place, TWO_MODELS, place / "pictures").objects

    assert [(event["event_type"], event["phase"], event.get("sublabel")) for event in events] == [
        ("visitor", "start", None),
        ("looks-here", "start", "face"),
        ("visitor", "end", "face"),
        ("looks-here", "end", "face"),
    ]


def test_the_same_pictures_give_the_same_bytes(place: Path) -> None:
    assert replayed(place, TWO_MODELS, place / "pictures").out == replayed(place, TWO_MODELS, place / "pictures").out


def test_a_label_that_neither_model_knows_is_refused(place: Path) -> None:
    (place / "config.toml").write_text('[camera.feeder]\nsource = "-"\n' + TWO_MODELS.replace('"face"', '"fce"'))
    # A model without a label file may know any label.
    text = (place / "config.toml").read_text().replace('"makes.tflite"', '"makes.tflite"\n    labels = "labels.txt"')
    (place / "config.toml").write_text(text)
    done = smartcam("replay", place / "pictures", "-c", "config.toml", at=place)

    assert done.code == 78
    assert 'no model here knows "fce" (did you mean "face"?)' in done.err
