// The blocks that are allocated at the moment, by address: an open-addressing hash table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace memprobe::mtrace {

struct Block {
  uint64_t size = 0;
  uint64_t line = 0;  // of the log, counted from 1
  uint32_t site = 0;  // the number of its call site
};

// At most three quarters of the slots are in use, 32 bytes each. No block lies at address 0.
class LiveBlocks {
 public:
  // False, and nothing changed, where a block has that address already.
  bool add(uint64_t address, const Block& block);
  // False where no block has that address.
  bool remove(uint64_t address);
  // Has the processor fetch what the next call for this address needs.
  void prefetch(uint64_t address) const { __builtin_prefetch(&addresses_[home(address)]); }

  size_t count() const { return count_; }
  // In no order.
  template <class Use>
  void each(Use use) const {
    for (size_t slot = 0; slot < addresses_.size(); slot++) {
      if (addresses_[slot] != kEmpty) use(addresses_[slot], blocks_[slot]);
    }
  }

 private:
  static constexpr uint64_t kEmpty = 0;
  static constexpr unsigned kFirstBits = 12;

  size_t home(uint64_t address) const { return (address >> 4) * 0x9e3779b97f4a7c15 >> shift_; }
  size_t after(size_t slot) const { return (slot + 1) & (addresses_.size() - 1); }
  size_t find(uint64_t address) const;
  void close_gap(size_t gap);
  void grow();

  unsigned shift_ = 64 - kFirstBits;
  // Apart, since a block is not needed to find it: the processor's cache holds more of the addresses.
  std::vector<uint64_t> addresses_ = std::vector<uint64_t>(size_t{1} << kFirstBits);
  std::vector<Block> blocks_ = std::vector<Block>(size_t{1} << kFirstBits);
  size_t count_ = 0;
};

}  // namespace memprobe::mtrace
