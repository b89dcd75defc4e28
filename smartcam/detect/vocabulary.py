"""What the catalogue's detectors can see, by the words of their label files: facts, told before anything is fetched.

The classifiers' thousands of species and things are not listed here.
"""

# fmt: off
COCO = frozenset([
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant",
    "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard",
    "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard", "tennis racket", "bottle",
    "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple", "sandwich", "orange", "broccoli",
    "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed", "dining table", "toilet",
    "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink",
    "refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush",
])
"""The 80 classes of COCO (https://cocodataset.org)."""

OBJECTRON = frozenset([
    "bicycle", "boot", "laptop", "person", "chair", "cattle", "desk", "cat", "computer mouse", "computer monitor",
    "box", "mug", "coffee cup", "stationary bicycle", "table", "bottle", "high heels", "vehicle", "footwear", "dog",
    "book", "camera", "car",
])
# fmt: on

FACE = frozenset({"face"})

SAME: dict[str, tuple[str, ...]] = {
    "person": (
        "human",
        "man",
        "woman",
        "child",
        "people",
        "pedestrian",
        "walker",
        "hiker",
        "intruder",
        "men",
        "women",
        "boy",
        "girl",
        "kid",
    ),
    "bicycle": ("bike", "cyclist", "velo"),
    "motorcycle": ("motorbike", "moped"),
    "car": ("auto", "automobile", "suv"),
    "truck": ("lorry", "van", "pickup"),
    "vehicle": ("truck", "lorry", "van", "bus", "tractor"),
    "airplane": ("plane", "aeroplane"),
    "cow": ("cattle", "bull", "calf"),
    "cattle": ("cow", "cows", "bull", "calf"),
    "cat": ("kitten",),
    "dog": ("puppy",),
    "sheep": ("lamb", "ram"),
    "horse": ("pony", "foal"),
}
"""What a label is called otherwise: two models have different words for one thing, and people a third."""


def same_as(word: str, known: frozenset[str]) -> str:
    """The label among `known` that means this word, or empty."""
    return next((label for label, words in SAME.items() if word in words and label in known), "")
