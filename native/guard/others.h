// What the kernel knows of memory and the books do not.
#pragma once

#include <cstdint>

namespace memprobe::guard::others {

// Some of [start, end) is anonymous memory that we did not map: V8's, for all that can be told. Neither the break, nor
// stacks, nor files. The caller holds the lock.
bool manage(uintptr_t start, uintptr_t end);

// All of [start, end) can be read and written.
bool accessible(uintptr_t start, uintptr_t end);

}  // namespace memprobe::guard::others
