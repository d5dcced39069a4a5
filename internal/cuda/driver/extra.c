//go:build gpu

#include "extra.h"

#include <pthread.h>

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
