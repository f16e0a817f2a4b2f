// Which heap blocks this package allocated: a shadow byte for each 16 bytes of address space, without a lock.
// malloc stores a byte, free swaps it back; a double free finds the byte already taken. A hash table would cost more
// than malloc itself.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace memprobe::guard::blocks {

inline constexpr size_t kAlignment = 16;  // glibc's MALLOC_ALIGNMENT on 64-bit machines

enum class Claim {
  Unknown,   // not ours, or already freed
  Taken,     // it was ours, and is nobody's now
  Attended,  // it is ours, and views or pins may lie on it: ask holds first
};

struct Extent {
  uintptr_t start = 0;
  uintptr_t end = 0;  // start of an unknown block: 0
};

// Records a new block. False: there is no memory for the shadow.
bool add(void* block);

// Takes a block out of the books, if nobody attends to it.
Claim claim(void* block);

// Takes an attended block out, after its views are gone. The caller holds the lock of holds.
void remove(void* block);

bool known(void* block);

// The known block that holds all of [start, start + length), marked as attended so that it can't be freed unasked.
// An extent of zeroes when there is none. The caller holds the lock of holds.
Extent attend(uintptr_t start, size_t length);

// The shadow's own mappings.
std::vector<Extent> shadows();

}  // namespace memprobe::guard::blocks
