/* A driver with a few functions: each says that it was reached. */
#include <stddef.h>

int cuInit(unsigned int flags)
{
	return 40 + (int)flags;
}

int cuDeviceGetCount(int *count)
{
	*count = 7;
	return 0;
}

int cuMemAlloc(void)
{
	return 1; /* the old version: nobody may call it */
}

int cuMemAlloc_v2(unsigned long long *address, size_t bytes)
{
	*address = 2 * bytes;
	return 0;
}
