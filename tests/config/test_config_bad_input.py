"""Every mistake that people make, one by one: what is said names the line and the key, and what to do about it."""

from __future__ import annotations

import pytest

from smartcam.config import Config, parse
from smartcam.config.problems import BadConfigFile

CAMERA = '[camera.front]\nsource = "x"\n'
GATE = '[camera.gate]\nsource = "y"\n'
RULE = '[rule.guard]\nsee = "person"\n'
ZONE = '[zone.yard]\ncamera = "front"\n'
LINE = '[line.fence]\ncamera = "front"\n'
YARD = '[zone.yard]\ncamera = "front"\npoints = [[0, 0], [1, 1], [0, 1]]\n'
ROAD = '[zone.road]\ncamera = "gate"\npoints = [[0, 0], [1, 1], [0, 1]]\n'
FENCE = '[line.fence]\ncamera = "front"\npoints = [[0, 0], [1, 1]]\n'

# What is no TOML.
TOML = [
    (CAMERA + RULE + 'zone = "yard', '5: rule.guard.zone: the closing quote is missing: write zone = "yard"'),
    (CAMERA + RULE + 'zone = yard"', '5: rule.guard.zone: the opening quote is missing: write zone = "yard"'),
    (CAMERA + RULE + "zone = yard", '5: rule.guard.zone: text stands in quotes: write zone = "yard"'),
    (
        CAMERA + RULE + "zone = \u201cyard\u201d",
        '5: rule.guard.zone: curly quotes do not count as quotes: write zone = "yard"',
    ),
    (CAMERA + RULE + "zone = \"yard'", '5: rule.guard.zone: it begins with " and ends with \': write zone = "yard"'),
    (CAMERA + RULE + "at = 22:00", '5: rule.guard.at: a time stands in quotes: write at = "22:00"'),
    (CAMERA + RULE + "when = 18:00-07:00", '5: rule.guard.when: a time stands in quotes: write when = "18:00-07:00"'),
    (
        CAMERA + RULE + "when = mon-fri 18:00-07:00",
        '5: rule.guard.when: a time stands in quotes: write when = "mon-fri 18:00-07:00"',
    ),
    (CAMERA + RULE + "for = 60s", '5: rule.guard.for: a duration stands in quotes: write for = "60s"'),
    (CAMERA + RULE + "for = 1h30m", '5: rule.guard.for: a duration stands in quotes: write for = "1h30m"'),
    (CAMERA + RULE + "count = >= 3", '5: rule.guard.count: a comparison stands in quotes: write count = ">= 3"'),
    (CAMERA + RULE + "see = @pets", '5: rule.guard.see: a group stands in quotes: write see = "@pets"'),
    (CAMERA + RULE + "score = 0,5", "5: rule.guard.score: a number has a point, not a comma: write score = 0.5"),
    (CAMERA + RULE + "score = .5", "5: rule.guard.score: a number begins with a digit: write score = 0.5"),
    (CAMERA + RULE + "score = 50%", "5: rule.guard.score: a share is a number from 0 to 1: write score = 0.5"),
    (CAMERA + RULE + "score = 05", "5: rule.guard.score: a number has no zeros before it: write score = 5"),
    (CAMERA + RULE + "score == 0.5", '5: rule.guard.score: "==" stands where "=" should be: write score = 0.5'),
    (CAMERA + RULE + 'zone "yard"', '5: the = between key and value is missing: write zone = "yard"'),
    (CAMERA + RULE + "zone yard", '5: the = between key and value is missing: write zone = "yard"'),
    (CAMERA + RULE + 'zone: "yard"', '5: rule.guard.zone: ":" stands where "=" should be: write zone = "yard"'),
    (CAMERA + RULE + "zone: yard", '5: rule.guard.zone: ":" stands where "=" should be: write zone = "yard"'),
    (CAMERA + RULE + "zone =", "5: rule.guard.zone: there is no value behind the =: write one, or take the line out"),
    (CAMERA + RULE + "zone = none", "5: rule.guard.zone: none is no value: take the line out, or begin it with #"),
    (
        CAMERA + RULE + "enabled = True",
        "5: rule.guard.enabled: true and false have small letters: write enabled = true",
    ),
    (
        CAMERA + RULE + "enabled = no",
        "5: rule.guard.enabled: yes and no are written true and false: write enabled = false",
    ),
    (
        CAMERA + RULE + 'do = ["snapshot" "clip"]',
        '5: rule.guard.do: a comma is missing: write do = ["snapshot", "clip"]',
    ),
    (
        CAMERA + RULE + 'do = ["snapshot", "clip"',
        '5: rule.guard.do: the closing ] is missing: write do = ["snapshot", "clip"]',
    ),
    (
        CAMERA + RULE + "do = [snapshot]",
        '5: rule.guard.do: in a list, each text stands in its own quotes: write do = ["snapshot"]',
    ),
    (
        CAMERA + RULE + 'do = "snapshot", "clip"',
        '5: rule.guard.do: several values are a list, in [ and ]: write do = ["snapshot", "clip"]',
    ),
    (CAMERA + RULE + 'do = ("snapshot")', '5: rule.guard.do: a list stands in [ and ]: write do = ["snapshot"]'),
    (CAMERA + RULE + 'do = {"snapshot"}', '5: rule.guard.do: a list stands in [ and ]: write do = ["snapshot"]'),
    (
        CAMERA + RULE + "snapshot = { boxes = true",
        "5: rule.guard.snapshot: the closing } is missing: write snapshot = { boxes = true }",
    ),
    (
        CAMERA + RULE + "snapshot = { boxes: true }",
        "5: rule.guard.snapshot: in { and } there is = between key and value: write snapshot = { boxes = true }",
    ),
    (
        CAMERA + RULE + "snapshot = {\n boxes = true,\n crop = true\n}",
        "5: rule.guard.snapshot: what stands in { and } has one line: write it so, or give it a section of its own",
    ),
    (
        CAMERA + RULE + "snapshot = { boxes = true, boxes = true }",
        "5: rule.guard.snapshot: boxes is there twice: take one out",
    ),
    (
        CAMERA + RULE + 'message = "say "hi""',
        "5: rule.guard.message: there are quotes in quotes, use single ones around it: write message = 'say \"hi\"'",
    ),
    (
        CAMERA + RULE + 'message = "C:\\dir"',
        "5: rule.guard.message: a \\ has a meaning of its own between double quotes, use single ones around "
        "it: write message = 'C:\\dir'",
    ),
    (
        CAMERA + RULE + 'message = "\\u12"',
        "5: rule.guard.message: a \\ has a meaning of its own between double quotes, use single ones around "
        "it: write message = '\\u12'",
    ),
    (
        CAMERA + RULE + 'message = """hi',
        "5: rule.guard.message: a text in three quotes never ends: write one quote at each side of it",
    ),
    (CAMERA + RULE + 'zone = "yard";', '5: rule.guard.zone: a line ends without ;: write zone = "yard"'),
    (
        CAMERA + RULE + 'zone = "yard" // there',
        '5: rule.guard.zone: a comment begins with #: write zone = "yard" # there',
    ),
    (
        CAMERA + RULE + 'zone = "yard" for = "60s"',
        "5: rule.guard.zone: each key has a line of its own: begin a new line before for",
    ),
    (
        CAMERA + RULE + 'zone = "yard" there',
        '5: rule.guard.zone: the line should end behind "yard": take the rest out, or put # before it',
    ),
    (CAMERA + RULE + "// a comment", "5: a comment begins with #: write # a comment"),
    (CAMERA + RULE + "; a comment", "5: a comment begins with #: write # a comment"),
    (
        CAMERA + RULE + '\xa0zone = "yard"',
        '5: there are invisible characters in it, type the line anew: write zone = "yard"',
    ),
    (
        CAMERA + RULE + 'zone =\xa0"yard"',
        '5: rule.guard.zone: there are invisible characters in it, type the line anew: write zone = "yard"',
    ),
    (CAMERA + RULE + 'zone = "ya\x01rd"', "5: rule.guard.zone: an invisible character, U+0001, is there: delete it"),
    (
        CAMERA + RULE + 'zone = "yard"\rfor = "60s"',
        "5: rule.guard.zone: the lines end as on an old Mac: save the file with Unix line ends",
    ),
    (CAMERA + RULE + 'time out = "10s"', '5: a key is one word: write time_out = "10s"'),
    (CAMERA + RULE + '"zone = "yard"', '5: there is a quote too many: write zone = "yard"'),
    (
        CAMERA + RULE + "what is this",
        '5: this line is not understood: write [SECTION.NAME] or KEY = "VALUE", or delete it, or begin it with #',
    ),
    (
        CAMERA + RULE + "= 5",
        '5: this line is not understood: write [SECTION.NAME] or KEY = "VALUE", or delete it, or begin it with #',
    ),
    (CAMERA + RULE + "[rule yard]\n", "5: the dot before the name is missing: write [rule.yard]"),
    (CAMERA + RULE + "[rule.yard\n", "5: the closing ] is missing: write [rule.yard]"),
    (CAMERA + RULE + "[[rule.yard]\n", "5: the closing ] is missing: write [rule.yard]"),
    (CAMERA + RULE + "[rule.yard]]\n", "5: there are brackets or quotes too many: write [rule.yard]"),
    (CAMERA + RULE + "rule.yard]\n", "5: the opening [ is missing: write [rule.yard]"),
    (
        CAMERA + RULE + 'unless = \'home\nfor = "5s"\n',
        "5: rule.guard.unless: the closing quote is missing: write unless = 'home'",
    ),
    (
        CAMERA + RULE + "unless = 'home\nfor = \"5s\"\n[zone.yard]\ncamera = 'front'\n",
        "5: rule.guard.unless: the closing quote is missing: write unless = 'home'",
    ),
    (
        CAMERA + RULE + "do = ['snapshot\n]\n",
        '5: rule.guard.do: in a list, each text stands in its own quotes: write do = ["snapshot"]',
    ),
    (
        CAMERA + RULE + 'message = "Someone is\nat the gate"  # there\nfor = "5s"\n',
        '5: rule.guard.message: a text stays on one line: join the lines, or write """ at both its ends',
    ),
    (
        CAMERA + RULE + "message = 'Someone is\nat\nthe gate'",
        '5: rule.guard.message: a text stays on one line: join the lines, or write """ at both its ends',
    ),
    (
        CAMERA + RULE + "message = It's here",
        '5: rule.guard.message: text stands in quotes: write message = "It\'s here"',
    ),
    (CAMERA + "[site]\nlatitude = 46°33N", "4: site.latitude: degrees are a decimal number: write latitude = 46.55"),
    (
        CAMERA + "[site]\nlongitude = 8° 34' 12\" W",
        "4: site.longitude: degrees are a decimal number: write longitude = -8.57",
    ),
    (
        CAMERA + "[site]\nlatitude = 46,55",
        "4: site.latitude: a number has a point, not a comma: write latitude = 46.55",
    ),
    (
        CAMERA + RULE + "noon picture",
        '5: this line is not understood: write [SECTION.NAME] or KEY = "VALUE", or delete it, or begin it with #',
    ),
    (
        CAMERA + RULE + 'level = "alert"\n\nsee = "cat"\nlevel = "event"\n',
        "7: rule.guard.see: defined already in line 4, and so are others below: "
        "is the line [rule.NAME] missing above line 7?",
    ),
    (CAMERA + RULE + "for = 2 minutes", '5: rule.guard.for: a duration stands in quotes: write for = "2 minutes"'),
    (CAMERA + RULE + "[rule.]\n", "5: the name behind the dot is missing: write [rule.NAME]"),
    (CAMERA + RULE + "[]\n", "5: a section has a name: write [camera.NAME]"),
    (CAMERA + RULE + "[rule.my yard]\n", "5: a name is made of a-z, 0-9, - and _: write [rule.my-yard]"),
    (CAMERA + RULE + "[rule.h\u00fchner]\n", "5: a name is made of a-z, 0-9, - and _: write [rule.huhner]"),
    (
        CAMERA + RULE + '[rule.yard] see = "dog"',
        "5: a section has its line for itself: begin a new line behind [rule.yard]",
    ),
    (CAMERA + RULE + 'see = "dog"', "5: rule.guard.see: defined already in line 4: rename or delete one of them"),
    (CAMERA + RULE + "[camera.front]\n", "5: camera.front: defined already in line 1: rename or delete one of them"),
    (
        CAMERA + RULE + '[rule]\nguard.see = "dog"',
        "6: rule.guard.see: defined already in line 4: rename or delete one of them",
    ),
]

# What is drawn.
POINTS = [
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 0] [1, 1]]",
        "5: zone.yard.points: a comma is missing: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = [[0 0], [1, 0], [1, 1]]",
        "5: zone.yard.points: a comma is missing: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 0], [1, 1]",
        "5: zone.yard.points: the closing ] is missing: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 0], [1, 1]]]",
        "5: zone.yard.points: there is a ] too many: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = [0, 0], [1, 0], [1, 1]",
        "5: zone.yard.points: the brackets around the whole list are missing: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = [\n  [0, 0],\n  [1, 0]\n  [1, 1],\n]",
        "8: zone.yard.points: a comma is missing before [1, 1]: write one between each two elements of a list",
    ),
    (
        CAMERA + ZONE + 'points = [\n  [0, 0],\n  [1, 0],\n[rule.r]\nsee = "person"\n',
        "5: zone.yard.points: the list that begins here is not closed: write ] behind its last element",
    ),
    (
        CAMERA + ZONE + "points = [\n  [0, 0],\n  [1, 0],\n  [x, 1],\n]",
        '8: zone.yard.points: [x, 1] is no value: text stands in quotes, like "person", and numbers without, like 0.5',
    ),
    (
        CAMERA + ZONE + "points = 0, 0], [1, 0], [1, 1]]",
        "5: zone.yard.points: the opening [ is missing: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = [0, 0], [1, 0], [1, 1]]",
        "5: zone.yard.points: the opening [ is missing: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = [0, 0],\n  [1, 0],  # there\n  [1, 1],\n]\nheight = 0.1\n",
        "5: zone.yard.points: the [ of the whole list is missing: write points = [ here, and ] below the last point",
    ),
    (
        CAMERA + ZONE + "points =\n  [0, 0],\n  [1, 0],\n  [1, 1]]",
        "5: zone.yard.points: the [ of the whole list is missing: write points = [ here, and ] below the last point",
    ),
    (
        CAMERA + ZONE + "points = [(0, 0), (1, 0), (1, 1)]",
        "5: zone.yard.points: a point stands in [ and ]: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = ((0, 0), (1, 0), (1, 1))",
        "5: zone.yard.points: points and lists stand in [ and ]: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = (0, 0), (1, 0), (1, 1)",
        "5: zone.yard.points: points and lists stand in [ and ]: write points = [[0, 0], [1, 0], [1, 1]]",
    ),
    (
        CAMERA + ZONE + "points = [\n  (0, 0),\n  (1, 0),\n]",
        "6: zone.yard.points: a point stands in [ and ]: write [0, 0]",
    ),
    (
        CAMERA + ZONE + "points = [[0,3, 0,4], [1, 0], [1, 1]]",
        "5: zone.yard.points: point 1 is no point: a number has a point, not a comma: write [0.3, 0.4]",
    ),
    (
        CAMERA + ZONE + "points = [[true, 0], [1, 0], [1, 1]]",
        "5: zone.yard.points: point 1 is no point: write two numbers, like [0.25, 0.8]",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 1]]",
        "5: zone.yard.points: it needs at least 3 points, and has 2: add what is missing, or take the section out",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 1], [0, 7]]",
        "5: zone.yard.points: point 3, [0, 7], is outside: points are shares of the picture, from 0 to 1; "
        "[0, 0] is its top left corner",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 1], [1, 0], [0, 1]]",
        "5: zone.yard.points: the edge from [0, 0] to [1, 1] crosses the one from [1, 0] to [0, 1]: give the "
        "points in their order around the zone",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [0.5, 0.5], [1, 1]]",
        "5: zone.yard.points: all points are on one line, which has no inside: move one of them aside",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 0], [1, 1], [0, 0]]",
        "5: zone.yard.points: the last point repeats the first, [0, 0]: take it out, a zone closes itself",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 0], [1, 0], [0, 1]]",
        "5: zone.yard.points: the point [1, 0] stands there twice: take one out",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 0], [0]]",
        "5: zone.yard.points: point 3 is no point: write two numbers, like [0.25, 0.8]",
    ),
    (
        CAMERA + ZONE + "points = [[0, 0], [1, 0], [0, 1, 1]]",
        "5: zone.yard.points: point 3 is no point: write two numbers, like [0.25, 0.8]",
    ),
    (
        CAMERA + ZONE + 'points = "0, 0"',
        '5: zone.yard.points: it should be a list, but it is "0, 0": write points = [[0.1, 0.4], [0.9, 0.4], '
        "[0.5, 0.9]]",
    ),
    (
        CAMERA + ZONE + "points = [" + "[0, 0], " * 65 + "]",
        "5: zone.yard.points: it has more than 64 points: take some out",
    ),
    (
        CAMERA + LINE + "points = [[0.5, 0.5]]",
        "5: line.fence.points: it needs at least 2 points, and has 1: add what is missing, or take the section out",
    ),
    (
        CAMERA + LINE + "points = [[0.5, 0.5], [0.5, 0.5]]",
        "5: line.fence.points: two points in a row are the same, [0.5, 0.5]: move one of them, or take it out",
    ),
    (
        CAMERA + LINE + "points = []",
        "5: line.fence.points: it needs at least 2 points, and has 0: add what is missing, or take the section out",
    ),
]

# Sections that are there, or are not.
SECTIONS = [
    ('see = "person"\n' + CAMERA, "1: see: it stands above all sections: move it below [rule.NAME]"),
    ("lat = 5\n" + CAMERA, "1: lat: it stands above all sections: move it below one of them"),
    ("cameras.front = 5\n" + CAMERA, '1: cameras: there is no section "cameras" (did you mean "camera"?)'),
    ("rule = 5\n" + CAMERA, "1: rule: it is a section: write [rule.NAME], and its keys below"),
    ('[cameras.front]\nsource = "x"\n', '1: cameras: there is no section "cameras" (did you mean "camera"?)'),
    (CAMERA + '[rules.yard]\nsee = "person"', '3: rules: there is no section "rules" (did you mean "rule"?)'),
    (
        CAMERA + "[quux]\n",
        '3: quux: there is no section "quux"; there are node, site, mqtt, log, uplink, keep, sampling, camera, '
        "model, group, zone, line, armed, mode, rule",
    ),
    (
        CAMERA + '[rule]\nsee = "person"\nzone = "yard"',
        "3: rule: each rule has a name: write [rule.NAME] instead of [rule]",
    ),
    ('[camera]\nsource = "x"\nfps = 5', "1: camera: each camera has a name: write [camera.NAME] instead of [camera]"),
    ('[[camera]]\nsource = "x"', "1: camera: a section stands in single brackets: write [camera.NAME]"),
    (CAMERA + '[[rule.yard]]\nsee = "person"', "3: rule.yard: a section stands in single brackets: write [rule.yard]"),
    (CAMERA + "[[mqtt]]\n", "3: mqtt: a section stands in single brackets: write [mqtt]"),
    (
        CAMERA + '[model.m]\nuse = "objectron"\n[model.m.then]\nsee = "dog"\nmodel = "m"',
        "5: model.m.then: each second look is one of a list: write [[model.m.then]], in double brackets",
    ),
    (CAMERA + "[model]\n", "3: model: no model: take [model] out, or add [model.NAME] with use = … or file = …"),
    ("", ' camera: no camera: add [camera.NAME] with source = "…"'),
    ("camera = {}", '1: camera: no camera: add [camera.NAME] with source = "…"'),
    ("[camera.front]\n", '1: camera.front.source: it is missing: add source = "rtsp://HOST/PATH"'),
    (CAMERA + ROAD, '4: zone.road.camera: no camera "gate": there is "front"'),
    (
        CAMERA + "[zone.yard]\npoints = [[0, 0], [1, 1], [0, 1]]",
        '3: zone.yard.camera: it is missing: add camera = "NAME"',
    ),
    (
        CAMERA + '[camera.Front]\nsource = "x"',
        "3: camera.Front: \"Front\" is not a name: use 1 to 32 of a-z, 0-9, '-' and '_', beginning with a "
        "letter or digit",
    ),
    (
        '[camera."a/b"]\nsource = "x"',
        "1: camera.\"a/b\": \"a/b\" is not a name: use 1 to 32 of a-z, 0-9, '-' and '_', beginning with a "
        "letter or digit",
    ),
    (
        '[camera.status]\nsource = "x"',
        '1: camera.status: a camera may not be called "status": smartcam/<node>/status is a topic of the '
        "node itself; give it another name",
    ),
    (
        CAMERA + "[mode.armed]\n",
        '3: mode.armed: a mode may not be called "armed": [armed] is about that; give it another name',
    ),
    (CAMERA + '[mode]\nwhen = "22:00-06:00"', "3: mode: each mode has a name: write [mode.NAME] instead of [mode]"),
    (
        CAMERA + "[rule.r]\n",
        '3: rule.r.see: what should it look for? add see = "person", or at = "12:00" for a rule by the clock',
    ),
]

# Keys and their values.
KEYS = [
    (CAMERA + "sorce = 1", '3: camera.front.sorce: there is no such key (did you mean "source"?)'),
    (CAMERA + "latitude = 5", "3: camera.front.latitude: there is no such key here: it belongs to [site]"),
    (
        CAMERA + "quux = 5",
        "3: camera.front.quux: there is no such key; there are retry_min, retry_max, source, record, "
        "username, password_file, rotate, format, pixel_format, size, "
        "fps, pace, repeat, model, motion, mask, look_again, open_timeout, read_timeout",
    ),
    (CAMERA + "fps = 0", "3: camera.front.fps: it should be more than 0, but it is 0"),
    (CAMERA + "fps = 500", "3: camera.front.fps: it should be at most 240, but it is 500"),
    (CAMERA + "repeat = 3", "3: camera.front.repeat: it should be true or false, but it is 3"),
    (CAMERA + "rotate = 45", "3: camera.front.rotate: 45 is not one of 0, 90, 180 or 270"),
    (CAMERA + 'model = "big"', '3: camera.front.model: no model "big": there is "default"'),
    ("[camera.front]\nsource = 5", "2: camera.front.source: it should be text in quotes, but it is 5"),
    (
        '[camera.front]\nsource = ""',
        '2: camera.front.source: it is empty: write source = "rtsp://HOST/PATH", or take the line out',
    ),
    (CAMERA + RULE + "four = 5", '5: rule.guard.four: there is no such key (did you mean "for"?)'),
    (CAMERA + RULE + 'label = "dog"', '5: rule.guard.label: there is no such key (did you mean "see"?)'),
    (CAMERA + RULE + 'source = "x"', "5: rule.guard.source: there is no such key here: it belongs to [camera.NAME]"),
    (
        CAMERA + RULE + "snapshot = { boxs = true }",
        '5: rule.guard.snapshot.boxs: there is no such key (did you mean "boxes"?)',
    ),
    (
        CAMERA + RULE + "snapshot = true",
        "5: rule.guard.snapshot: it should be a table, but it is true: write { boxes = true }",
    ),
    (
        CAMERA + RULE + 'do = "snapshot"',
        '5: rule.guard.do: it should be a list, but it is "snapshot": write ["snapshot"]',
    ),
    (
        CAMERA + RULE + 'do = ["snapshots"]',
        '5: rule.guard.do: "snapshots" is not one of "snapshot" or "clip" (did you mean "snapshot"?)',
    ),
    (
        CAMERA + RULE + 'score = "high"',
        '5: rule.guard.score: it should be a number, but it is "high": a number stands without quotes',
    ),
    (CAMERA + RULE + "score = 2", "5: rule.guard.score: it should be at most 1, but it is 2"),
    (CAMERA + RULE + "score = 50", "5: rule.guard.score: it should be at most 1, but it is 50 (for 50 % write 0.5)"),
    (CAMERA + RULE + "score = nan", "5: rule.guard.score: it should be at most 1, but it is nan"),
    (
        CAMERA + RULE + 'level = "alarm"',
        '5: rule.guard.level: "alarm" is not one of "info", "event" or "alert" (did you mean "alert"?)',
    ),
    (
        CAMERA + RULE + 'once = "daily"',
        '5: rule.guard.once: "daily" is not one of "day", "day per label" or "visit" (did you mean "day"?)',
    ),
    (
        CAMERA + RULE + 'for = "soon"',
        '5: rule.guard.for: "soon" is not a duration: write "90s", "5m", "1h30m" or "250ms"',
    ),
    (CAMERA + RULE + "for = -1", "5: rule.guard.for: a duration is not negative, and at most 3650 days long"),
    (
        CAMERA + RULE + 'count = "three"',
        '5: rule.guard.count: "three" is not a count: write a number, or a comparison like ">= 3"',
    ),
    (
        CAMERA + RULE + 'cooldown = "30m per camera"',
        '5: rule.guard.cooldown: a cooldown is per label or per zone, not per "camera": write "30m per label"',
    ),
    (
        CAMERA + RULE + "height = 5",
        "5: rule.guard.height: a height is a share of the picture's: write 0.1 for at least a tenth, or "
        "[0.1, 0.6] for a range",
    ),
    (CAMERA + RULE + 'within = "3s"', "5: rule.guard.within: it goes with `with`: add that, or take this out"),
    (CAMERA + RULE + 'toward = "in"', "5: rule.guard.toward: it goes with `crosses`: add that, or take this out"),
    (
        CAMERA + RULE + 'message = "{labl}"',
        '5: rule.guard.message: "{labl}": no field {labl} (did you mean "label"?); there are {label}, '
        "{sublabel}, {count}, {score}, {zone}, {camera}, {rule}, {phase}, {dwell}, {time}, {date}",
    ),
    (
        CAMERA + RULE + 'message = "' + "x" * 501 + '"',
        "5: rule.guard.message: it is longer than 500 characters: shorten it",
    ),
    (
        CAMERA + RULE + "camera = 1979-05-27",
        '5: rule.guard.camera: it should be text in quotes, but it is 1979-05-27: write "1979-05-27"',
    ),
    (
        CAMERA + RULE + 'enabled = "yes"',
        '5: rule.guard.enabled: it should be true or false, but it is "yes": write true, without quotes',
    ),
    (CAMERA + RULE + "enabled = 1", "5: rule.guard.enabled: it should be true or false, but it is 1"),
    (CAMERA + "fps = true", "3: camera.front.fps: it should be a number, but it is true"),
    (CAMERA + 'fps = "25"', '3: camera.front.fps: it should be a number, but it is "25": write 25, without quotes'),
    (
        CAMERA + 'rotate = "90"',
        '3: camera.front.rotate: "90" is not one of 0, 90, 180 or 270: a number stands without quotes',
    ),
    (
        CAMERA + "[mqtt]\noutbox = true",
        "4: mqtt.outbox: it should be a whole number, but it is true",
    ),
    (
        CAMERA + '[site]\nlatitude = "46,55"',
        '4: site.latitude: it should be a number, but it is "46,55": write 46.55, without quotes',
    ),
    (
        CAMERA + '[site]\nlatitude = "46°33\'N"',
        '4: site.latitude: it should be a number, but it is "46°33\'N": write 46.55, without quotes',
    ),
    (
        CAMERA + '[site]\nlatitude = "north"',
        '4: site.latitude: it should be a number, but it is "north": write decimal degrees without quotes, like 46.55',
    ),
    (
        CAMERA + RULE + 'score = "0,5"',
        '5: rule.guard.score: it should be a number, but it is "0,5": write 0.5, without quotes',
    ),
    (
        CAMERA + RULE + 'do = ["picture"]',
        '5: rule.guard.do: "picture" is not one of "snapshot" or "clip" (did you mean "snapshot"?)',
    ),
    (CAMERA + RULE + 'in = "yard"', '5: rule.guard.in: there is no such key (did you mean "zone"?)'),
    (CAMERA + RULE + 'time = "12:00"', '5: rule.guard.time: there is no such key (did you mean "at"?)'),
    (CAMERA + RULE + 'time = "night"', '5: rule.guard.time: there is no such key (did you mean "when"?)'),
    (CAMERA + RULE + 'mode = "home"', '5: rule.guard.mode: there is no such key (did you mean "only"?)'),
    (CAMERA + RULE + 'line = "fence"', '5: rule.guard.line: there is no such key (did you mean "crosses"?)'),
    (CAMERA + RULE + 'text = "hello"', '5: rule.guard.text: there is no such key (did you mean "message"?)'),
    (CAMERA + RULE + 'wait = "5m"', '5: rule.guard.wait: there is no such key (did you mean "cooldown"?)'),
    (CAMERA + RULE + 'hours = "night"', '5: rule.guard.hours: there is no such key (did you mean "when"?)'),
    (CAMERA + RULE + "photo = true", '5: rule.guard.photo: there is no such key (did you mean do = ["snapshot"]?)'),
    ('[camera.front]\nurl = "x"', '2: camera.front.url: there is no such key (did you mean "source"?)'),
    ('[camera.front]\nsorce = "x"', '2: camera.front.sorce: there is no such key (did you mean "source"?)'),
    (CAMERA + RULE + 'for = "half an hour"', '5: rule.guard.for: "half an hour" is not a duration: write "30m"'),
    (
        CAMERA + RULE + 'at = "12:00"\nlevel = "alert"\nzone = "yard"\nfor = "5s"\n',
        "4: rule.guard.see: a rule with `at` fires by the clock and looks at nothing: take see, zone and for out, "
        "or `at`; or is the line [rule.NAME] missing between them?",
    ),
    (CAMERA + RULE + 'enabled = "maybe"', '5: rule.guard.enabled: it should be true or false, but it is "maybe"'),
    (
        CAMERA + RULE + 'at = "12:00"\n',
        "4: rule.guard.see: a rule with `at` fires by the clock and looks at nothing: take this out, or take `at` out",
    ),
    (
        CAMERA + "[rule.r]\nsee = []",
        '4: rule.r.see: write one label ("person"), a list (["deer", "fox"]) or a group ("@wildlife")',
    ),
    (
        CAMERA + '[rule.r]\nsee = ""',
        '4: rule.r.see: write one label ("person"), a list (["deer", "fox"]) or a group ("@wildlife")',
    ),
    (CAMERA + "[site]\nlatitude = 500", "4: site.latitude: it should be at most 90, but it is 500"),
    (CAMERA + "[site]\nlatitude = -91", "4: site.latitude: it should be at least -90, but it is -91"),
    (CAMERA + "[site]\nlongitude = 181", "4: site.longitude: it should be at most 180, but it is 181"),
    (
        CAMERA + '[site]\nlatitude = "46 N"',
        '4: site.latitude: it should be a number, but it is "46 N": write 46, without quotes',
    ),
    (
        CAMERA + "[group]\npets = 5",
        '4: group.pets: write one label ("person"), a list (["deer", "fox"]) or a group ("@wildlife")',
    ),
    (
        CAMERA + "[group]\npets = []",
        '4: group.pets: write one label ("person"), a list (["deer", "fox"]) or a group ("@wildlife")',
    ),
    (
        CAMERA + '[model.m]\nuse = "x"\nsha256 = "abc"',
        '5: model.m.sha256: "abc" is not understood: write the 64 hexadecimal digits that `sha256sum FILE` prints',
    ),
    (
        CAMERA + '[model.m]\nuse = "x"\naccelerator = "gpu"',
        '5: model.m.accelerator: "gpu" is not understood: write "auto", "cpu", "edgetpu", "edgetpu:usb" or '
        '"edgetpu:" and its port',
    ),
    (CAMERA + '[mqtt]\nusr = "x"', '4: mqtt.usr: there is no such key (did you mean "url"?)'),
    (
        CAMERA + '[log]\nlevel = "verbose"',
        '4: log.level: "verbose" is not one of "debug", "info", "warning" or "error"',
    ),
]

# What no section alone can know.
TOGETHER = [
    (
        CAMERA + RULE + 'zone = "yard"',
        '5: rule.guard.zone: no zone "yard" on camera "front": there is none, add [zone.yard]',
    ),
    (
        CAMERA + YARD + RULE + 'zone = "yrad"',
        '8: rule.guard.zone: no zone "yrad" on camera "front" (did you mean "yard"?)',
    ),
    (
        CAMERA + GATE + YARD + ROAD + RULE + 'camera = "front"\nzone = "yrad"',
        '14: rule.guard.zone: no zone "yrad" on camera "front" (did you mean "yard"?)',
    ),
    (
        CAMERA + GATE + YARD + ROAD + RULE + 'camera = "front"\nzone = "roda"',
        '14: rule.guard.zone: no zone "roda" on camera "front": there is "yard"',
    ),
    (CAMERA + GATE + YARD + RULE + 'zone = "yrad"', '10: rule.guard.zone: no zone "yrad" (did you mean "yard"?)'),
    (
        CAMERA + GATE + ROAD + RULE + 'camera = "front"\nzone = "road"',
        '11: rule.guard.zone: zone "road" is on camera "gate", not on "front": take `camera` out, or draw '
        "another zone there",
    ),
    (
        CAMERA + GATE + FENCE + RULE + 'camera = "gate"\ncrosses = "fence"',
        '11: rule.guard.crosses: line "fence" is on camera "front", not on "gate": take `camera` out, or '
        "draw another line there",
    ),
    (
        CAMERA + GATE + FENCE + ROAD + RULE + 'zone = "road"\ncrosses = "fence"',
        '14: rule.guard.crosses: line "fence" is on camera "front", and zone "road" on "gate": take one of '
        "them out, or draw both on one camera",
    ),
    (
        CAMERA + FENCE + RULE + 'crosses = "fense"',
        '8: rule.guard.crosses: no line "fense" on camera "front" (did you mean "fence"?)',
    ),
    (
        CAMERA + RULE + 'crosses = "fence"',
        '5: rule.guard.crosses: no line "fence" on camera "front": there is none, add [line.fence]',
    ),
    (CAMERA + RULE + 'camera = "frnt"', '5: rule.guard.camera: no camera "frnt" (did you mean "front"?)'),
    (
        CAMERA + '[zone.z]\ncamera = "frnt"\npoints = [[0, 0], [1, 1], [0, 1]]',
        '4: zone.z.camera: no camera "frnt" (did you mean "front"?)',
    ),
    (
        CAMERA + '[line.l]\ncamera = "side"\npoints = [[0, 0], [1, 1]]',
        '4: line.l.camera: no camera "side": there is "front"',
    ),
    (
        CAMERA + RULE + 'only = "nobody"',
        '5: rule.guard.only: no mode "nobody": there are "armed", "disarmed"; add [mode.nobody] for one more',
    ),
    (
        CAMERA + "[mode.holiday]\n" + RULE + 'unless = ["armed", "holidy"]',
        '6: rule.guard.unless: no mode "holidy" (did you mean "holiday"?)',
    ),
    (
        CAMERA + RULE + 'only = ["armed"]\nunless = "armed"',
        '6: rule.guard.unless: "armed" is in `only` too, so the rule never holds: take one of them out',
    ),
    (
        CAMERA + RULE + 'when = "night"',
        '5: rule.guard.when: "night" follows the sun, which sets at another time in every place: add latitude and '
        "longitude to [site]",
    ),
    (
        CAMERA + "[site]\nlatitude = 46\n" + RULE + 'when = ["22:00-23:00", "sunset-23:00"]',
        '7: rule.guard.when: "sunset-23:00" follows the sun, which sets at another time in every place: add '
        "longitude to [site]",
    ),
    (
        CAMERA + '[armed]\nwhen = "night"',
        '4: armed.when: "night" follows the sun, which sets at another time in every place: add latitude and '
        "longitude to [site]",
    ),
    (
        CAMERA + '[mode.away]\n[mode.dark]\nwhen = "mon-fri dusk"',
        '5: mode.dark.when: "mon-fri dusk" follows the sun, which sets at another time in every place: add '
        "latitude and longitude to [site]",
    ),
    (
        CAMERA + '[rule.r]\nsee = ["@wild"]\n[group]\nwildlife = ["deer"]',
        '4: rule.r.see: no group "@wild" (did you mean "@wildlife"?)',
    ),
    (
        CAMERA + RULE + 'with = "@any"',
        '5: rule.guard.with: "@any" is everything, that of `see` too: write with what it should be, or take it out',
    ),
    (CAMERA + RULE + 'with = "@pets"', '5: rule.guard.with: no group "@pets": there is none, add it to [group]'),
    (
        CAMERA + '[group]\npets = ["@dogs"]',
        '4: group.pets: a group holds labels, not other groups: write what is in "@dogs"',
    ),
    (CAMERA + '[group]\nany = ["dog"]', '4: group.any: "@any" is every label already: give the group another name'),
    (
        CAMERA + '[model.m]\nuse = "objectron"\n[[model.m.then]]\nsee = "dog"\nmodel = "n"',
        '7: model.m.then.model: no model "n": there is "m"',
    ),
    (
        CAMERA + '[model.m]\nuse = "objectron"\n[[model.m.then]]\nsee = "dog"\nmodel = "m"',
        '7: model.m.then.model: "m" has second looks itself, and one level is all: take one of them out',
    ),
    (
        CAMERA
        + '[model.m]\nuse = "objectron"\n[[model.m.then]]\nsee = "@pets"\nmodel = "n"\n[model.n]\nuse = "inat-birds"',
        '6: model.m.then.see: no group "@pets": there is none, add it to [group]',
    ),
]


@pytest.mark.parametrize(("text", "complaint"), TOML + POINTS + SECTIONS + KEYS + TOGETHER)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_one_sentence_names_the_place_and_the_remedy(text: str, complaint: str, ending: str) -> None:
    with pytest.raises(BadConfigFile) as failed:
        parse(text.replace("\n", ending), "s.toml")
    assert failed.value.exit_code == 78
    assert str(failed.value) == f"s.toml:{complaint}"


@pytest.mark.parametrize(
    "line",
    [
        'zone\t=\t"yard"',
        '\tzone = "yard"',
        'zone = "yard"\t# there',
        "zone = 'yard'",
        'zone="yard"',
        'level = """alert"""',
    ],
)
def test_what_only_looks_wrong_is_taken(line: str) -> None:
    parse(CAMERA + YARD + RULE + line)


@pytest.mark.parametrize(
    "line",
    [
        "source = rtsp://joe:hunter2@cam/1",
        'source = "rtsp://joe:hunter2@cam/1',
        'source: "rtsp://joe:hunter2@cam/1"',
        "password = hunter2",
        "password: hunter2",
        'source = "exec:grab --password hunter2" now',
    ],
)
def test_no_repair_shows_a_password(line: str) -> None:
    with pytest.raises(BadConfigFile) as failed:
        parse(f"[camera.front]\n{line}\n")
    assert "hunter2" not in str(failed.value)


def complaints(text: str) -> list[str]:
    with pytest.raises(BadConfigFile) as failed:
        parse(text, "s.toml")
    return str(failed.value).removeprefix("s.toml:").split("\ns.toml:")


def test_what_is_wrong_in_itself_hides_nothing_else_of_its_section() -> None:
    wrong = 'do = "snapshot"\nzone = "yrad"\nunless = "hom"\ncrosses = "fence"\nscore = "x"\nin = "yard"\n'
    assert complaints(CAMERA + YARD + RULE + wrong) == [
        '8: rule.guard.do: it should be a list, but it is "snapshot": write ["snapshot"]',
        '9: rule.guard.zone: no zone "yrad" on camera "front" (did you mean "yard"?)',
        '10: rule.guard.unless: no mode "hom": there are "armed", "disarmed"; add [mode.hom] for one more',
        '11: rule.guard.crosses: no line "fence" on camera "front": there is none, add [line.fence]',
        '12: rule.guard.score: it should be a number, but it is "x": a number stands without quotes',
        '13: rule.guard.in: there is no such key (did you mean "zone"?)',
    ]


def test_a_section_without_what_it_must_have_is_judged_for_the_rest() -> None:
    assert complaints('[camera.front]\nmodel = "big"\n' + LINE.replace("front", "frnt") + "[rule.r]\nzone = 'a'\n") == [
        '1: camera.front.source: it is missing: add source = "rtsp://HOST/PATH"',
        '2: camera.front.model: no model "big": there is "default"',
        "3: line.fence.points: it is missing: add points = [[0.1, 0.4], [0.9, 0.4], [0.5, 0.9]]",
        '4: line.fence.camera: no camera "frnt" (did you mean "front"?)',
        '5: rule.r.see: what should it look for? add see = "person", or at = "12:00" for a rule by the clock',
        '6: rule.r.zone: no zone "a" on camera "front": there is none, add [zone.a]',
    ]


@pytest.mark.parametrize(
    "text",
    [
        CAMERA + RULE + 'snapshot = { boxes = true }\ndo = "snapshot"\n',
        CAMERA + RULE + 'toward = "in"\ncrosses = 5\n',
        CAMERA + RULE + 'with = 5\nwithin = "3s"\n',
        CAMERA + '[site]\nlatitude = "x"\nlongitude = 8\n' + RULE + 'when = "night"\n',
        CAMERA + '[rule.r]\nat = "noonish"\nlevel = "alert"\n',
        CAMERA + ZONE + "points = 5\n" + RULE + 'zone = "yard"\n',
        CAMERA + "[group]\npets = 5\n" + RULE + 'with = "@pets"\n',
        CAMERA + "[group]\nPets = ['dog']\n" + RULE + 'with = "@Pets"\n',
        CAMERA + "[mode.Home]\n" + RULE + 'only = "Home"\n',
        CAMERA + '[model.m]\nus = "objectron"\n[[model.m.then]]\nsee = "dog"\nmodel = "m"\n',
    ],
)
def test_nothing_is_told_that_follows_from_what_is_told(text: str) -> None:
    (one,) = complaints(text)
    assert one


def test_the_rest_is_handed_on_unless_its_models_cannot_be_known() -> None:
    def rest(text: str) -> Config | None:
        with pytest.raises(BadConfigFile) as failed:
            parse(text)
        return failed.value.understood

    understood = rest(CAMERA + RULE + 'zone = 5\nfor = "9s"\n')
    assert understood
    assert understood.rule == parse(CAMERA + RULE + 'for = "9s"\n').rule
    wrong = RULE + "zone = 5\n"
    assert rest(CAMERA + "model = 5\n" + wrong) is None
    assert rest(CAMERA + 'model = "big"\n' + wrong) is None
    assert rest(CAMERA + '[models.m]\nuse = "mobiledet"\n' + wrong) is None
    assert rest(CAMERA + '[model.m]\nuse = "mobiledet"\nthreads = -1\n' + wrong) is None
    assert rest(CAMERA + '[camera.Gate]\nsource = "x"\n' + wrong) is None
    assert rest(wrong) is None
