typedef long unsigned int size_t;
typedef struct {
	int quot;
	int rem;
} div_t;
extern int atoi (const char* __nptr) __attribute__ ((__nothrow__)) ;
typedef struct timeval CLOCKS;
typedef unsigned int uint32_t_of_the_prologue;
typedef uint32_t cuuint32_t;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef struct CUgraph_st* CUgraph;
typedef struct CUgraphExec_st* CUgraphExec;
typedef enum cudaError_enum {
	CUDA_SUCCESS = 0,
	CUDA_ERROR_NOT_INITIALIZED = 3,
	CUDA_ERROR_NO_DEVICE = 100,
	CUDA_ERROR_NOT_FOUND = 500
} CUresult;
typedef void ( *CUcallback)(CUdevice device, CUresult status, void* data);
CUresult cuInit(unsigned int Flags);
CUresult cuDeviceGetCount(int* count);
CUresult
cuMemAlloc(CUdeviceptr* address,
           size_t bytes);
__attribute__((deprecated)) CUresult cuMemFree(CUdeviceptr address);
CUresult cuCtxSynchronize(void);
CUresult cuNeverCalled(CUcallback callback, const int* list);
