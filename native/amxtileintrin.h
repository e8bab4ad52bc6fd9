/* Found before the compiler's own header of this name while llama.cpp is compiled (see bootstrap.py).

   GCC declares that ldtilecfg reads 8 bytes where it reads 64 (seen in GCC 12), so that the optimiser drops most of what the
   configuration holds, and the first product of llama.cpp's AMX kernels ends in SIGSEGV. The symbol tells core/engines/llama_native.py that
   these kernels were compiled with the whole of it. */
#include_next <amxtileintrin.h>

#if defined(__GNUC__) && !defined(__clang__)
#undef _tile_loadconfig
#define _tile_loadconfig(config) __asm__ volatile("ldtilecfg %0" : : "m"(*(const char (*)[64])(config)))
#endif

#ifdef __cplusplus
extern "C"
#endif
__attribute__((weak, visibility("default"))) int lrm_whole_tile_configuration = 1;
