"""Opens CUDA's libraries through TensorFlow's own loader: check_cuda.py DIRECTORY_OF_TENSORFLOW

Names those that do not open and exits with 1. The loader's functions return an absl::StatusOr<void *> through a
pointer to the caller's memory; its first word is 1 when all is well.
"""

import ctypes
import os
import sys

LIBRARIES = ['CudaRuntime', 'Cublas', 'CublasLt', 'Cufft', 'Cusolver', 'Cusparse', 'Cudnn', 'Nccl']


def opens(loader, name):
    function = f'Get{name}DsoHandle'
    get = loader[f'_ZN3tsl8internal9DsoLoader{len(function)}{function}Ev']
    get.argtypes = [ctypes.c_void_p]
    get.restype = ctypes.c_void_p
    result = (ctypes.c_uint64 * 8)()
    get(ctypes.addressof(result))
    return result[0] == 1


os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '2')
framework = ctypes.CDLL(os.path.join(sys.argv[1], 'libtensorflow_framework.so.2'))
missing = [name for name in LIBRARIES if not opens(framework, name)]
if missing:
    sys.exit('Missing or not loadable: ' + ', '.join(missing))
