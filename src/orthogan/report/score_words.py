"""What each score means, for a reader who has not met it before."""

from __future__ import annotations

# What a score is to be compared with, by the task of a run.
BESIDE = {"gan": "real", "classify": "guessing", "language": "counting"}
MEANING = {
    "gan": "No generator does better than real images ('real') but by chance.",
    "classify": "Who knows no image and names the most frequent class scores 'guessing'.",
    "language": "Who knows only how often each token comes scores 'counting'.",
}
SHARES = {"precision", "recall", "coverage", "density", "memorised", "repeated", "accuracy"}
# (title, meaning) by the name without its extractor.
WORDS = {
    "fd": ("Frechet distance", ("How far the generated images as a whole lie from the real ones, "
           "in what a network sees in them. Lower is better.")),
    "kd": ("Kernel distance", ("The same question as the Frechet distance, by a kernel, which is "
           "fairer to few images. Lower is better.")),
    "precision": ("Precision", ("How many generated images look like the data. Low: they are not "
                  "realistic.")),
    "recall": ("Recall", ("How much of the data lies where generated images lie. Low: there is "
               "little variety.")),
    "coverage": ("Coverage", ("How many real images have a generated one near to them. Low: parts "
                 "of the data are missing.")),
    "density": ("Density", "How crowded with real images the places of generated ones are."),
    "memorised": ("Memorised", ("How many generated images are near-copies of training images, "
                  "beyond what chance explains. High: it repeats what it has seen.")),
    "repeated": ("Repeated", ("How many generated images come again and again. High: it has "
                 "collapsed.")),
    "modes": ("Modes", "How many of the 1000 combinations of digits appear. Higher is better."),
    "mode-kl": ("Evenness of modes", ("How unevenly the combinations appear (KL, in nats). 0: as "
                "often as each other.")),
    "accuracy": ("Accuracy", ("How many held-out images are answered rightly.")),
    "bits_per_character": ("Bits per character", ("How uncertain the model is of the next "
                           "character of text it has not seen. Lower is better.")),
    "bits_per_byte": ("Bits per byte", ("How uncertain the model is of the next byte of text it "
                      "has not seen. Lower is better.")),
    "perplexity": ("Perplexity", ("Among how many words the model wavers on text it has not seen. "
                   "Lower is better.")),
}  # fmt: skip


def said_of(name: str) -> tuple[str, str]:
    """The title of a score and what it means; of an unknown one, its name and nothing.

    >>> said_of("fd[digits-cls@6943ee]")[0], said_of("mine")
    ('Frechet distance (digits-cls@6943ee)', ('mine', ''))
    """
    base, bracket, rest = name.partition("[")
    title, meaning = WORDS.get(base, (name, ""))
    known = base in WORDS
    return (f"{title} ({rest.removesuffix(']')})" if bracket and known else title), meaning


def is_share(name: str) -> bool:
    """Whether a score lies in 0..1 and is read in per cent."""
    return name.partition("[")[0] in SHARES


def beside(task: str) -> str:
    """The heading of what a score is compared with.

    >>> beside("classify"), beside("mine")
    ('guessing', 'floor')
    """
    return BESIDE.get(task, "floor")
