/* Calls the driver through the library and prints what came back. */
#include <cuda.h>
#include <cuda.h>
#include <stdio.h>

const char *edm_cuda_load_error(void);
int edm_cuda_init_result(void);

int main(void)
{
	const char *why = edm_cuda_load_error();
	int count = -1;
	CUdeviceptr address = 0;
	int init = cuInit(2);
	int counted = cuDeviceGetCount(&count);
	int allocated = cuMemAlloc(&address, 21);
	int waited = cuCtxSynchronize();
	printf("init %d (%d) count %d (%d) address %llu (%d) wait (%d) %s\n", init, edm_cuda_init_result(),
	       count, counted, address, allocated, waited, why ? why : "loaded");
	return 0;
}
