// The malloc hooks: the four variables through which libc_malloc_debug.so.0 lets others allocate, and what is
// counted when ours are there. They belong to the process: worker threads share them, and nothing takes them
// away but stop.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memprobe::hooks {

bool running();

// Leads allocation past the debugging library, as far as no checker has marked the blocks, or lets it through
// again. Counting goes on either way.
void bypass(bool on);

using Malloc = void* (*)(size_t, const void*);
using Realloc = void* (*)(void*, size_t, const void*);
using Memalign = void* (*)(size_t, size_t, const void*);
using Free = void (*)(void*, const void*);

struct Functions {
  Malloc malloc = nullptr;
  Realloc realloc = nullptr;
  Memalign memalign = nullptr;
  Free free = nullptr;

  bool operator==(const Functions&) const = default;
};

}  // namespace memprobe::hooks
