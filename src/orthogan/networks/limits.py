"""The largest sizes that a network may have: a file that names larger ones is damaged or hostile.

Far above what is trained here; they bound the time that building takes before anything is
allocated. What weights there really are bounds the memory (`orthogan.models.bundle.rebuild`).
"""

MOST_WIDE = 65_536
MOST_BLOCKS = 256
MOST_EXPANSION = 64
MOST_CLASSES = 100_000
MOST_LABELS = 1_000
MOST_EMPHASIS = 64.0
# A mask of its square is made, and is no weight: 64 MiB.
MOST_CONTEXT = 8_192
