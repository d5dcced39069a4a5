/* Looks the driver's functions up when the program starts. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* slots holds the driver's functions in the order of names; NULL where it has none. */
static void *slots[COUNT];

/* absent is what a call returns whose slot is empty. */
static CUresult absent = CUDA_ERROR_NO_DEVICE;

static int init_result = CUDA_ERROR_NOT_INITIALIZED;
static char load_error[1024];

/* edm_cuda_load_error returns why there is no driver, NULL if there is one. */
const char *edm_cuda_load_error(void)
{
	return load_error[0] ? load_error : NULL;
}

/* edm_cuda_init_result returns what the driver's cuInit returned. */
int edm_cuda_init_result(void)
{
	return init_result;
}

static void *open_driver(void)
{
	const char *path = getenv("EDM_CUDA_DRIVER");
	if (path == NULL || path[0] == '\0')
		path = "libcuda.so.1";
	void *driver = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (driver == NULL) {
		const char *text = dlerror();
		snprintf(load_error, sizeof load_error, "%s", text ? text : path);
		return NULL;
	}
	if (dlsym(driver, "cuInit") == NULL) {
		snprintf(load_error, sizeof load_error, "%s: not a CUDA driver: it has no cuInit", path);
		dlclose(driver);
		return NULL;
	}
	return driver;
}

/* Runs before the program's own code, so that a package's initialisation may call. */
__attribute__((constructor)) static void load_driver(void)
{
	void *driver = open_driver();
	if (driver == NULL)
		return;
	absent = CUDA_ERROR_NOT_FOUND;
	for (int i = 0; i < COUNT; i++)
		slots[i] = dlsym(driver, names[i]);
}
