// Symbols that a real driver keeps for programs built long ago, under names that
// headers map to later versions. A call by the bare name meets another ABI.
#include <cstdio>
#include <cstdlib>

#define OBSOLETE(name, version)                                                              \
  extern "C" __attribute__((visibility("default"))) void name() {                            \
    fprintf(stderr,                                                                          \
            "emulated CUDA driver: %s is the ABI of an old CUDA release; call %s%s, as "     \
            "NVIDIA's header does under that name\n",                                        \
            #name, #name, version);                                                          \
    abort();                                                                                 \
  }

OBSOLETE(cuArray3DCreate, "_v2")
OBSOLETE(cuArray3DGetDescriptor, "_v2")
OBSOLETE(cuArrayCreate, "_v2")
OBSOLETE(cuArrayGetDescriptor, "_v2")
OBSOLETE(cuCtxCreate, "_v2")
OBSOLETE(cuCtxDestroy, "_v2")
OBSOLETE(cuCtxPopCurrent, "_v2")
OBSOLETE(cuCtxPushCurrent, "_v2")
OBSOLETE(cuDevicePrimaryCtxRelease, "_v2")
OBSOLETE(cuDevicePrimaryCtxReset, "_v2")
OBSOLETE(cuDevicePrimaryCtxSetFlags, "_v2")
OBSOLETE(cuDeviceTotalMem, "_v2")
OBSOLETE(cuEventDestroy, "_v2")
OBSOLETE(cuGraphInstantiate, "WithFlags")
OBSOLETE(cuGraphInstantiate_v2, "; better cuGraphInstantiateWithFlags")
OBSOLETE(cuLinkAddData, "_v2")
OBSOLETE(cuLinkAddFile, "_v2")
OBSOLETE(cuLinkCreate, "_v2")
OBSOLETE(cuMemAlloc, "_v2")
OBSOLETE(cuMemAllocHost, "_v2")
OBSOLETE(cuMemAllocPitch, "_v2")
OBSOLETE(cuMemFree, "_v2")
OBSOLETE(cuMemGetAddressRange, "_v2")
OBSOLETE(cuMemGetInfo, "_v2")
OBSOLETE(cuMemHostGetDevicePointer, "_v2")
OBSOLETE(cuMemHostRegister, "_v2")
OBSOLETE(cuMemcpy2D, "_v2")
OBSOLETE(cuMemcpy2DAsync, "_v2")
OBSOLETE(cuMemcpy2DUnaligned, "_v2")
OBSOLETE(cuMemcpy3D, "_v2")
OBSOLETE(cuMemcpy3DAsync, "_v2")
OBSOLETE(cuMemcpyAtoA, "_v2")
OBSOLETE(cuMemcpyAtoD, "_v2")
OBSOLETE(cuMemcpyAtoH, "_v2")
OBSOLETE(cuMemcpyAtoHAsync, "_v2")
OBSOLETE(cuMemcpyDtoA, "_v2")
OBSOLETE(cuMemcpyDtoD, "_v2")
OBSOLETE(cuMemcpyDtoDAsync, "_v2")
OBSOLETE(cuMemcpyDtoH, "_v2")
OBSOLETE(cuMemcpyDtoHAsync, "_v2")
OBSOLETE(cuMemcpyHtoA, "_v2")
OBSOLETE(cuMemcpyHtoAAsync, "_v2")
OBSOLETE(cuMemcpyHtoD, "_v2")
OBSOLETE(cuMemcpyHtoDAsync, "_v2")
OBSOLETE(cuMemsetD16, "_v2")
OBSOLETE(cuMemsetD2D16, "_v2")
OBSOLETE(cuMemsetD2D32, "_v2")
OBSOLETE(cuMemsetD2D8, "_v2")
OBSOLETE(cuMemsetD32, "_v2")
OBSOLETE(cuMemsetD8, "_v2")
OBSOLETE(cuModuleGetGlobal, "_v2")
OBSOLETE(cuStreamBeginCapture, "_v2")
OBSOLETE(cuStreamDestroy, "_v2")
OBSOLETE(cuTexRefGetAddress, "_v2")
OBSOLETE(cuTexRefSetAddress, "_v2")
OBSOLETE(cuTexRefSetAddress2D, "_v3")
