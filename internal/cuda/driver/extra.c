//go:build gpu

#include "extra.h"

#include <pthread.h>
#include <string.h>

CUresult edm_load_module(CUmodule *module, const char *ptx, char *log)
{
	CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
	void *values[] = {log, (void *)(uintptr_t)(EDM_LOG_SIZE - 1)};
	return cuModuleLoadDataEx(module, ptx, 2, options, values);
}

CUresult edm_begin_capture(CUstream stream)
{
	return cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
}

CUresult edm_encode_tensor_map(void *out, int type, unsigned int rank, uint64_t address,
	const unsigned long long *sizes, const unsigned long long *strides, const unsigned int *box,
	int swizzle)
{
	enum { NO_INTERLEAVE = 0, PROMOTE_TO_128 = 2, ZEROS = 0 };
	static const unsigned int steps[] = {1, 1, 1, 1, 1};
	_Alignas(64) unsigned char map[EDM_TENSOR_MAP_SIZE];
	CUresult code = cuTensorMapEncodeTiled(map, type, rank, (void *)(uintptr_t)address, sizes, strides, box,
		steps, NO_INTERLEAVE, swizzle, PROMOTE_TO_128, ZEROS);
	if (code == CUDA_SUCCESS)
		memcpy(out, map, sizeof map);
	return code;
}

const char *edm_error_name(CUresult code)
{
	const char *text = 0;
	return cuGetErrorName(code, &text) == CUDA_SUCCESS ? text : 0;
}

const char *edm_error_text(CUresult code)
{
	const char *text = 0;
	return cuGetErrorString(code, &text) == CUDA_SUCCESS ? text : 0;
}

uintptr_t edm_thread_id(void)
{
	return (uintptr_t)pthread_self();
}
