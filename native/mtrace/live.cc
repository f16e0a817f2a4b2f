#include "live.h"

namespace memprobe::mtrace {

bool LiveBlocks::add(uint64_t address, const Block& block) {
  const size_t slot = find(address);
  if (addresses_[slot] != kEmpty) return false;
  addresses_[slot] = address;
  blocks_[slot] = block;
  if (++count_ * 4 > addresses_.size() * 3) grow();
  return true;
}

bool LiveBlocks::remove(uint64_t address) {
  const size_t slot = find(address);
  if (addresses_[slot] == kEmpty) return false;
  count_--;
  close_gap(slot);
  return true;
}

// The slot of this address, or the empty one where it would go.
size_t LiveBlocks::find(uint64_t address) const {
  size_t slot = home(address);
  while (addresses_[slot] != kEmpty && addresses_[slot] != address) slot = after(slot);
  return slot;
}

// Moves back what was pushed past `gap` by a collision, so that no marks of deleted entries are needed.
void LiveBlocks::close_gap(size_t gap) {
  const size_t mask = addresses_.size() - 1;
  for (size_t slot = after(gap); addresses_[slot] != kEmpty; slot = after(slot)) {
    const size_t pushed = (slot - home(addresses_[slot])) & mask;
    if (pushed < ((slot - gap) & mask)) continue;
    addresses_[gap] = addresses_[slot];
    blocks_[gap] = blocks_[slot];
    gap = slot;
  }
  addresses_[gap] = kEmpty;
}

void LiveBlocks::grow() {
  LiveBlocks larger;
  larger.shift_ = shift_ - 1;
  larger.addresses_.resize(addresses_.size() * 2);
  larger.blocks_.resize(addresses_.size() * 2);
  larger.count_ = count_;
  each([&](uint64_t address, const Block& block) {
    const size_t slot = larger.find(address);
    larger.addresses_[slot] = address;
    larger.blocks_[slot] = block;
  });
  *this = std::move(larger);
}

}  // namespace memprobe::mtrace
