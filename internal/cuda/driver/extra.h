// The driver calls that the binding lacks, and what is wanted of the generated
// library beside the driver's own functions.
#ifndef EDM_CUDA_EXTRA_H
#define EDM_CUDA_EXTRA_H

#include <cuda.h>
#include <stdint.h>

#ifndef EDM_CUDA_BINDING
#error "this is not the header that tools/cudabind generates: build with make cuda"
#endif

// EDM_LOG_SIZE is the room for the log of a module's compilation, in bytes.
enum { EDM_LOG_SIZE = 1 << 16 };

// edm_load_module compiles PTX. log has EDM_LOG_SIZE bytes, which are zero.
CUresult edm_load_module(CUmodule *module, const char *ptx, char *log);

// edm_begin_capture starts to record the stream; other threads are not affected.
CUresult edm_begin_capture(CUstream stream);

// EDM_TENSOR_MAP_SIZE is the size of a tensor map in bytes.
enum { EDM_TENSOR_MAP_SIZE = 128 };

// edm_encode_tensor_map writes a map of tiles without interleaving, with zeros
// outside of the array. The driver wants maps aligned; out need not be.
CUresult edm_encode_tensor_map(void *out, int type, unsigned int rank, uint64_t address,
	const unsigned long long *sizes, const unsigned long long *strides, const unsigned int *box,
	int swizzle);

// edm_error_name and edm_error_text return what the driver says of a code, NULL
// where it says nothing.
const char *edm_error_name(CUresult code);
const char *edm_error_text(CUresult code);

// edm_cuda_load_error returns why there is no driver, NULL if there is one.
const char *edm_cuda_load_error(void);

// edm_cuda_init_result returns what the driver's cuInit returned. The library's
// own cuInit returns success always, since the binding calls it before main and
// ends the process on anything else.
int edm_cuda_init_result(void);

// edm_thread_id tells threads apart that run at the same time.
uintptr_t edm_thread_id(void);

#endif
