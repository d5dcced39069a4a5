package main

// The driver keeps old versions of a function under its plain name and gives the
// newer ones a suffix; NVIDIA's header maps one to the other. These are the
// versions that fit the types of the binding's header (CUDA 11.0) and that every
// driver since CUDA 12.0 has.
var suffixed = map[string][]string{
	"_v2": {
		// 64-bit sizes and addresses, CUDA 3.2.
		"cuDeviceTotalMem", "cuCtxCreate", "cuModuleGetGlobal",
		"cuMemGetInfo", "cuMemAlloc", "cuMemAllocPitch", "cuMemFree", "cuMemGetAddressRange",
		"cuMemAllocHost", "cuMemHostGetDevicePointer",
		"cuMemcpyHtoD", "cuMemcpyDtoH", "cuMemcpyDtoD",
		"cuMemcpyDtoA", "cuMemcpyAtoD", "cuMemcpyHtoA", "cuMemcpyAtoH", "cuMemcpyAtoA",
		"cuMemcpyHtoAAsync", "cuMemcpyAtoHAsync",
		"cuMemcpyHtoDAsync", "cuMemcpyDtoHAsync", "cuMemcpyDtoDAsync",
		"cuMemcpy2D", "cuMemcpy2DUnaligned", "cuMemcpy3D", "cuMemcpy2DAsync", "cuMemcpy3DAsync",
		"cuMemsetD8", "cuMemsetD16", "cuMemsetD32", "cuMemsetD2D8", "cuMemsetD2D16", "cuMemsetD2D32",
		"cuArrayCreate", "cuArrayGetDescriptor", "cuArray3DCreate", "cuArray3DGetDescriptor",
		"cuTexRefSetAddress", "cuTexRefGetAddress", "cuGraphicsResourceGetMappedPointer",
		// Contexts of many threads, CUDA 4.0.
		"cuCtxDestroy", "cuCtxPopCurrent", "cuCtxPushCurrent", "cuStreamDestroy", "cuEventDestroy",
		// CUDA 6.5.
		"cuLinkCreate", "cuLinkAddData", "cuLinkAddFile", "cuMemHostRegister", "cuGraphicsResourceSetMapFlags",
		// A mode for captures, CUDA 10.1.
		"cuStreamBeginCapture",
		// CUDA 11.0.
		"cuDevicePrimaryCtxRelease", "cuDevicePrimaryCtxReset", "cuDevicePrimaryCtxSetFlags",
		"cuIpcOpenMemHandle", "cuGraphInstantiate",
		// Memory operations without a module parameter of the kernel's, CUDA 12.0.
		"cuStreamWaitValue32", "cuStreamWaitValue64", "cuStreamWriteValue32", "cuStreamWriteValue64",
		"cuStreamBatchMemOp",
	},
	"_v3": {"cuTexRefSetAddress2D"}, // CUDA 4.1
}

// missing are functions that are newer than the binding's header, as the driver
// API's manual declares them.
const missing = `
CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long flags);
CUresult cuTensorMapEncodeTiled(void *map, int type, unsigned int rank, void *address,
	const unsigned long long *sizes, const unsigned long long *strides, const unsigned int *box,
	const unsigned int *steps, int interleave, int swizzle, int promotion, int fill);
`

// abiNames returns the ABI name of each function that has another than its own.
func abiNames() map[string]string {
	names := map[string]string{}
	for suffix, list := range suffixed {
		for _, name := range list {
			names[name] = name + suffix
		}
	}
	return names
}
