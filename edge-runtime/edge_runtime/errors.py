"""Everything that `edge_runtime` raises on purpose.

    EdgeRuntimeError            base; `exit_code` is what the command line ends with
    ├── InputError          2   a file, option or document that is not what it must be
    │   └── ContractError       a document that breaks a versioned schema
    ├── MissingError        3   something needed is not here: network, package, engine, file
    ├── RefusedError        4   the box checked a release and will not run it
    ├── TrustError          5   a signature, digest, sequence or expiry does not verify
    └── StorageError        6   the disk is full, read-only or damaged
        └── BusyError           another process is at work on the same folder

Exit code 0 is success, 1 a defect of ours, 130 an interrupt.
"""


class EdgeRuntimeError(Exception):
    """Base of all errors that a user can act on; `str(error)` is one line.

    `retry_after` is how many seconds the server asked to be left alone, 0 when it did not.
    """

    exit_code = 1
    retry_after = 0.0


class InputError(EdgeRuntimeError):
    """A file, option or document is not what it must be."""

    exit_code = 2


class ContractError(InputError):
    """A document does not follow the schema that it names."""


class MissingError(EdgeRuntimeError):
    """Something that the work needs is not here; the message says how to get it."""

    exit_code = 3


class RefusedError(EdgeRuntimeError):
    """This box checked a release and will not run it; the message says why."""

    exit_code = 4


class TrustError(EdgeRuntimeError):
    """A signature, digest, sequence or expiry does not verify."""

    exit_code = 5


class StorageError(EdgeRuntimeError):
    """The disk is full, read-only or damaged."""

    exit_code = 6


class BusyError(StorageError):
    """Another process is at work on the same folder; trying again later helps."""
