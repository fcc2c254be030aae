// Code that the compiler makes calls functions of this library by name, also where the library was opened
// privately.

#include <dlfcn.h>

__attribute__((constructor)) static void makeSymbolsGlobal() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void *>(&makeSymbolsGlobal), &info))
    dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
}
