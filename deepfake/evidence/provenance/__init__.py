"""What a file says of its own making: signed Content Credentials, and what anybody can write.

Nothing of it goes into a score. Content Credentials are read by native code: call it in a media
worker, where what it may cost is limited and a crash costs one file.
"""

from deepfake.evidence.provenance.credentials import Credentials, read_credentials
from deepfake.evidence.provenance.text import Provenance, describe_provenance

__all__ = ["Credentials", "Provenance", "describe_provenance", "read_credentials"]
