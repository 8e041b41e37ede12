"""Video that cannot be trusted is decoded in a process of its own, which may crash or hang.

`source.source_of` says what may be opened, `decoder.Decoder` is the process as its parent sees it,
`process` what runs in it, `messages` what the two say to each other.
"""
