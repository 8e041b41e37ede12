"""The arrays that sessions take."""

import numpy as np
import numpy.typing as npt

UInt8 = npt.NDArray[np.uint8]
