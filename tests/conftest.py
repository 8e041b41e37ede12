"""What holds for all tests."""

from hypothesis import settings

# An example may take long on a busy machine; that says nothing of the code.
settings.register_profile("edgefactory", deadline=None)
settings.load_profile("edgefactory")
