/* A CUDA driver that tells what it is asked for, a line each; `test_cuda_launch.py` compiles it. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

int cuInit(unsigned flags) { return 0; }
int cuDriverGetVersion(int *version) { *version = 13000; return 0; }
int cuCtxGetCurrent(void **context) { *context = (void *)0x1234; return 0; }

int cuModuleLoadData(void **module, const void *image) {
    printf("load %.3s\n", (const char *)image + 1);
    *module = (void *)0x77;
    return 0;
}

int cuModuleGetFunction(void **function, void *module, const char *name) {
    printf("function %s of %p\n", name, module);
    *function = (void *)0x88;
    return 0;
}

int cuLaunchKernel(void *function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                   unsigned bz, unsigned shared, void *stream, void **parameters, void **extra) {
    printf("launch %p grid %u %u %u block %u %u %u shared %u stream %p parameters", function, gx,
           gy, gz, bx, by, bz, shared, stream);
    for (int i = 0; i < 17; i++) printf(" %lld", (long long)*(int64_t *)parameters[i]);
    printf(" %d\n", *(int32_t *)parameters[17]);
    fflush(stdout);
    return extra ? 1 : 0;
}

int cuGetProcAddress_v2(const char *name, void **found, int version, uint64_t flags, int *status) {
    void *self = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_NOLOAD);
    *found = self ? dlsym(self, name) : 0;
    if (status) *status = *found ? 0 : 1;
    return *found ? 0 : 500;
}

int cuGetProcAddress(const char *name, void **found, int version, uint64_t flags) {
    return cuGetProcAddress_v2(name, found, version, flags, 0);
}
