// The blocks that are allocated at the moment, by address.
//
//   address -> the part of memory (2 KiB) that it lies in -> the slot of its 16 bytes there -> its block's record
//
//   parts_    ... 0x56192d43e000: [ 0 0 7 0 0 3 ... ] ...
//   records_  0: none   ...   3: { size, line, site }   ...   7: { size, line, site }   ...
//
// Programs use addresses near the last one, again and again. A hash of each block's address would scatter them: what
// a line of the log needs was nearly never in the processor's cache, and reading took twice as long.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace memprobe::mtrace {

struct Block {
  uint64_t size = 0;
  uint64_t line = 0;  // of the log, counted from 1
  uint32_t site = 0;  // the number of its call site
};

// Each block takes 24 bytes, and each 2 KiB of the program's memory that has any some 600.
class LiveBlocks {
 public:
  // False, and nothing changed, where a block has that address already.
  bool add(uint64_t address, const Block& block);
  // False where no block has that address.
  bool remove(uint64_t address);

  size_t count() const { return count_; }
  // In no order.
  template <class Use>
  void each(Use use) const {
    for (const auto& [number, part] : parts_) {
      for (size_t i = 0; i < kSlots; i++) {
        if (part->slots[i] != kNone) use(number << kPartBits | i << kSlotBits, record(part->slots[i]));
      }
    }
    for (const auto& [address, block] : unaligned_) use(address, block);
  }

 private:
  static constexpr unsigned kSlotBits = 4;  // malloc's alignment
  static constexpr unsigned kPartBits = 11;
  static constexpr size_t kSlots = size_t{1} << (kPartBits - kSlotBits);
  static constexpr size_t kRecent = 256;
  static constexpr unsigned kGroupBits = 14;
  static constexpr uint32_t kGroup = uint32_t{1} << kGroupBits;
  static constexpr uint32_t kNone = 0;

  // Of 2 KiB of the program's memory: the number of the record of the block that begins in each 16 bytes of it.
  struct Part {
    std::array<uint32_t, kSlots> slots = {};
    uint32_t used = 0;
  };
  struct Recent {
    uint64_t number = 0;
    Part* part = nullptr;
  };

  static bool is_aligned(uint64_t address) { return address % (1 << kSlotBits) == 0; }
  static size_t slot_of(uint64_t address) { return address >> kSlotBits & (kSlots - 1); }

  // nullptr where it has no blocks.
  Part* find_part(uint64_t address);
  Part& part_of(uint64_t address);
  void drop_part(uint64_t address);

  Block& record(uint32_t number) { return records_[number >> kGroupBits][number & (kGroup - 1)]; }
  const Block& record(uint32_t number) const { return records_[number >> kGroupBits][number & (kGroup - 1)]; }
  uint32_t take_record();
  void add_group();

  std::unordered_map<uint64_t, std::unique_ptr<Part>> parts_ = {};
  std::array<Recent, kRecent> recent_ = {};
  std::vector<std::unique_ptr<Block[]>> records_ = {};
  uint32_t unused_ = kNone;  // the first of them; their `line` is the next one's number
  // None of glibc's on x86-64: damage, or another allocator.
  std::unordered_map<uint64_t, Block> unaligned_ = {};
  size_t count_ = 0;
};

}  // namespace memprobe::mtrace
