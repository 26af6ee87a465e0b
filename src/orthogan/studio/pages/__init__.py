"""The pages of the studio, one file each: facts in, markup out."""
