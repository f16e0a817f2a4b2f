// The malloc hooks: the four variables through which libc_malloc_debug.so.0 lets others allocate, and what is
// counted when ours are there. They belong to the process: worker threads share them, and nothing takes them
// away but stop.
#pragma once

#include <cstddef>
#include <cstdint>

namespace memprobe::hooks {

bool running();

using Malloc = void* (*)(size_t, const void*);
using Realloc = void* (*)(void*, size_t, const void*);
using Memalign = void* (*)(size_t, size_t, const void*);
using Free = void (*)(void*, const void*);

struct Functions {
  Malloc malloc = nullptr;
  Realloc realloc = nullptr;
  Memalign memalign = nullptr;
  Free free = nullptr;
};

// Puts these there where none are, and takes them away again. False: the variables are not to be had, or
// others' hooks are installed. Calls that are under way meanwhile end in the functions where they began.
bool install(const Functions& functions);
void remove();

// What the hooks of a detour do: glibc's own allocator, nothing else.
extern const Functions plain;

}  // namespace memprobe::hooks
