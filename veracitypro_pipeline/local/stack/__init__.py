"""The local stack as a whole: the background process and the seam to production code."""
