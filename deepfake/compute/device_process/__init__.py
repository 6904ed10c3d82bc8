"""One process owns the device; media workers hand it pictures through shared memory.

Each worker has a block of memory that both processes map. A request says which network and what
shape, its pictures lie in the block, and so do the answers. The device process takes all requests
that wait, puts those for one network together, and fills every batch up to one size: an algorithm
is chosen by the shape of a batch, so no answer depends on who else asked. It goes on to the next
batch while the device computes, and looks at what is finished in between.
"""

from deepfake.compute.device_process.client import DeviceClient
from deepfake.compute.device_process.messages import DeviceAddress
from deepfake.compute.device_process.process import DeviceProcess
from deepfake.compute.device_process.server import DeviceNetwork, DeviceSetup, Pending

__all__ = [
    "DeviceAddress",
    "DeviceClient",
    "DeviceNetwork",
    "DeviceProcess",
    "DeviceSetup",
    "Pending",
]
