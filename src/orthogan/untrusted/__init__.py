"""Files from anywhere: NumPy arrays and zip archives, whatever their headers claim."""

from orthogan.untrusted.arrays import (
    MAGIC,
    MAX_TABLE_BYTES,
    ArrayArchive,
    map_array,
    open_arrays,
    read_array,
    text_of,
)
from orthogan.untrusted.zips import (
    MEMBER_ERRORS,
    damage_told,
    open_member,
    open_zip,
    read_member,
    read_up_to,
)

__all__ = [
    "MAGIC",
    "MAX_TABLE_BYTES",
    "MEMBER_ERRORS",
    "ArrayArchive",
    "damage_told",
    "map_array",
    "open_arrays",
    "open_member",
    "open_zip",
    "read_array",
    "read_member",
    "read_up_to",
    "text_of",
]
