"""A local web page over a folder of runs: watch them, start, stop, resume and fork them.

It reads run folders and is never a second source of truth: training is the ordinary command in a
process of its own, which outlives the studio, and stopping is the file that any other process can
leave as well (docs/studio.md). Needs the extra `studio`.
"""
