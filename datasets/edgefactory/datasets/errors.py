"""Everything that the factory raises on purpose.

    EdgefactoryError            base; `exit_code` is what the command line ends with
    ├── InputError          2   a file, option or document that is not what it must be
    ├── MissingError        3   something needed is not here: network, package, tool, file
    ├── GateError           4   a gate looked at the evidence and said no
    ├── TrustError          5   a signature, digest or sequence does not verify
    └── StorageError        6   the disk is full or not writable

Exit code 0 is success, 1 a defect of ours, 130 an interrupt. `edge_runtime.errors` has
the same codes.
"""


class EdgefactoryError(Exception):
    """Base of all errors that a user can act on; `str(error)` is one line."""

    exit_code = 1


class InputError(EdgefactoryError):
    """A file, option or document is not what it must be."""

    exit_code = 2


class MissingError(EdgefactoryError):
    """Something that the work needs is not here; the message says how to get it."""

    exit_code = 3


class GateError(EdgefactoryError):
    """A gate looked at the evidence and said no; the message names the first reason."""

    exit_code = 4


class TrustError(EdgefactoryError):
    """A signature, digest or sequence does not verify."""

    exit_code = 5


class StorageError(EdgefactoryError):
    """The disk is full or not writable."""

    exit_code = 6
