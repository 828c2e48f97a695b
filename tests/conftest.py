"""What holds for all tests."""

from hypothesis import settings

# A time limit for each example would only find how busy the machine is.
settings.register_profile("netlab", deadline=None)
settings.load_profile("netlab")
