# One container with everything; see container/Containerfile.
EXTRA_DIST += container/Containerfile container/run .dockerignore
